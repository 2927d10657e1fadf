//! What can be wrong with a storage server, told apart as far as a person would do something else about it.
//!
//! Source: Amazon S3, "Error responses"; what SeaweedFS, Garage, rclone and Ceph say instead.

use std::fmt;

use jiff::Timestamp;

/// What is wrong between us and a storage server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The server's name has no address: misspelt, or this computer is offline.
    NameNotFound,
    /// Nothing answers there, or the connection broke, for as long as we had patience.
    Unreachable,
    /// Its certificate is not valid for its name, has expired, or comes from nobody whom this computer trusts.
    Certificate,
    /// It answers as no S3-compatible server does: another program, or the address of a web page.
    NotS3,
    /// It does not know the access key.
    UnknownKey,
    /// It knows the access key, and the secret is another.
    WrongSecret,
    /// The keys have ended.
    KeyExpired,
    /// There is no such bucket, or not any more.
    NoBucket,
    /// The bucket is in another region.
    WrongRegion {
        /// Where it is, when the server tells.
        expected: Option<String>,
    },
    /// The keys do not allow what was asked for.
    Forbidden {
        /// What that was.
        doing: Doing,
    },
    /// The clocks of this computer and of the server differ by more than signatures allow (15 minutes).
    ClockOff {
        /// The server's time, when it told.
        server_time: Option<Timestamp>,
    },
    /// It said that it had stored a file, and holds something else under that name, or nothing.
    Unfaithful,
    /// It has too much to do, or parts of it are down, for as long as we had patience.
    Busy,
    /// Anything else that it refused.
    Refused {
        /// HTTP status.
        status: u16,
        /// Its name for the error; empty when it gave none.
        code: String,
    },
}

/// What the keys would have to allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Listing the bucket.
    Listing,
    /// Reading objects.
    Reading,
    /// Writing objects.
    Writing,
    /// Deleting objects.
    Deleting,
}

impl Trouble {
    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NameNotFound | Self::Unreachable | Self::Busy => true,
            Self::Certificate
            | Self::NotS3
            | Self::UnknownKey
            | Self::WrongSecret
            | Self::KeyExpired
            | Self::NoBucket
            | Self::WrongRegion { .. }
            | Self::Forbidden { .. }
            | Self::ClockOff { .. }
            | Self::Unfaithful
            | Self::Refused { .. } => false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameNotFound => f.write_str("no address for this name"),
            Self::Unreachable => f.write_str("no answer"),
            Self::Certificate => f.write_str("certificate not trusted"),
            Self::NotS3 => f.write_str("not an S3-compatible server"),
            Self::UnknownKey => f.write_str("access key unknown"),
            Self::WrongSecret => f.write_str("wrong secret key"),
            Self::KeyExpired => f.write_str("keys expired"),
            Self::NoBucket => f.write_str("no such bucket"),
            Self::WrongRegion { expected: Some(region) } => write!(f, "bucket is in region {region:?}"),
            Self::WrongRegion { expected: None } => f.write_str("bucket is in another region"),
            Self::Forbidden { doing } => write!(f, "{doing} is not allowed"),
            Self::ClockOff {
                server_time: Some(time),
            } => write!(f, "clocks differ, it is {time} there"),
            Self::ClockOff { server_time: None } => f.write_str("clocks differ"),
            Self::Unfaithful => f.write_str("what it acknowledged is not there"),
            Self::Busy => f.write_str("busy"),
            Self::Refused { status, code } => write!(f, "refused with {status} {code}"),
        }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listing => "listing",
            Self::Reading => "reading",
            Self::Writing => "writing",
            Self::Deleting => "deleting",
        })
    }
}
