//! What is wrong with the server behind a place.

use skykeep_vault::{Doing, Trouble};

use crate::api::Action::{ChangeKeys, ShowDetail, TryAgain};
use crate::api::Problem;
use crate::api::Severity::{Danger, NeedsYou, Note};
use crate::words::Word;

pub(super) fn of_server(server: &str, trouble: &Trouble) -> Problem {
    let set_up = |code| Problem::new(code, NeedsYou, &[TryAgain, ShowDetail]);
    let of_keys = |code| Problem::new(code, NeedsYou, &[ChangeKeys, TryAgain, ShowDetail]);
    match trouble {
        Trouble::NameNotFound => Problem::new("server_name", Note, &[TryAgain, ShowDetail]),
        Trouble::Unreachable => Problem::new("server_away", Note, &[TryAgain, ShowDetail]),
        Trouble::Busy => Problem::new("server_busy", Note, &[TryAgain, ShowDetail]),
        Trouble::Certificate => set_up("server_certificate"),
        Trouble::NotS3 => set_up("server_not_s3"),
        Trouble::UnknownKey => of_keys("server_key"),
        Trouble::WrongSecret => of_keys("server_secret"),
        Trouble::KeyExpired => of_keys("server_keys_ended"),
        Trouble::NoBucket => set_up("server_no_bucket"),
        Trouble::WrongRegion { expected: Some(region) } => set_up("server_region").text("region", region),
        Trouble::WrongRegion { expected: None } => set_up("server_region_unknown"),
        Trouble::Forbidden { doing } => of_keys("server_forbidden").with("doing", of_doing(*doing)),
        Trouble::ClockOff { .. } => set_up("server_clock"),
        Trouble::Unfaithful => Problem::new("server_unfaithful", Danger, &[TryAgain, ShowDetail]),
        Trouble::Refused { .. } => set_up("server_refused"),
    }
    .text("server", server)
}

const fn of_doing(doing: Doing) -> Word {
    match doing {
        Doing::Listing => Word::Listing,
        Doing::Reading => Word::Reading,
        Doing::Writing => Word::Writing,
        Doing::Deleting => Word::Deleting,
    }
}
