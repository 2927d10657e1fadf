//! Companies and programs that keep buckets, as ready-made entries of a form.
//!
//! Only what their own pages say; whoever has another server fills in the same fields by hand.

use serde::Serialize;

use super::settings::Addressing;

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Provider {
    /// How it is called in settings.
    pub id: &'static str,
    /// How people call it.
    pub name: &'static str,
    /// Where its server is.
    pub endpoint: Endpoint,
    /// The region, as far as it is the same for all; empty: the person has to say.
    pub region: &'static str,
    /// Regions to choose from, as far as they are known; others may be typed.
    pub regions: &'static [&'static str],
    /// How buckets are named in requests.
    pub addressing: Addressing,
    /// Where it says so.
    pub source: &'static str,
}

/// Where a provider's server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Endpoint {
    /// An address in which `{region}` stands for the region.
    OfRegion {
        /// The address.
        template: &'static str,
    },
    /// An address in which `{account}` stands for the number of the person's account.
    OfAccount {
        /// The address.
        template: &'static str,
    },
    /// The person's own server: an example of its address.
    Own {
        /// The address.
        example: &'static str,
    },
}

impl Endpoint {
    /// The address for this region and account; the example for a server of one's own.
    pub fn address(&self, region: &str, account: &str) -> String {
        match self {
            Self::OfRegion { template } => template.replace("{region}", region),
            Self::OfAccount { template } => template.replace("{account}", account),
            Self::Own { example } => (*example).to_owned(),
        }
    }
}

/// All entries, in the order of a form.
pub const PROVIDERS: [Provider; 8] = [
    Provider {
        id: "aws",
        name: "Amazon S3",
        endpoint: Endpoint::OfRegion {
            template: "https://s3.{region}.amazonaws.com",
        },
        region: "",
        regions: &[
            "eu-central-1",
            "eu-west-1",
            "eu-west-2",
            "eu-west-3",
            "eu-north-1",
            "us-east-1",
            "us-east-2",
            "us-west-1",
            "us-west-2",
            "ca-central-1",
            "sa-east-1",
            "ap-northeast-1",
            "ap-south-1",
            "ap-southeast-1",
            "ap-southeast-2",
        ],
        addressing: Addressing::VirtualHost,
        source: "https://docs.aws.amazon.com/general/latest/gr/s3.html",
    },
    Provider {
        id: "r2",
        name: "Cloudflare R2",
        endpoint: Endpoint::OfAccount {
            template: "https://{account}.r2.cloudflarestorage.com",
        },
        region: "auto",
        regions: &["auto"],
        addressing: Addressing::Path,
        source: "https://developers.cloudflare.com/r2/api/s3/api/",
    },
    Provider {
        id: "b2",
        name: "Backblaze B2",
        endpoint: Endpoint::OfRegion {
            template: "https://s3.{region}.backblazeb2.com",
        },
        region: "",
        regions: &[
            "eu-central-003",
            "us-west-001",
            "us-west-002",
            "us-west-004",
            "us-east-005",
            "ca-east-006",
        ],
        addressing: Addressing::Path,
        source: "https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api",
    },
    Provider {
        id: "wasabi",
        name: "Wasabi",
        endpoint: Endpoint::OfRegion {
            template: "https://s3.{region}.wasabisys.com",
        },
        region: "",
        regions: &[
            "eu-central-1",
            "eu-central-2",
            "eu-west-1",
            "eu-west-2",
            "us-east-1",
            "us-east-2",
            "us-central-1",
            "us-west-1",
            "ca-central-1",
            "ap-northeast-1",
            "ap-northeast-2",
            "ap-southeast-1",
            "ap-southeast-2",
        ],
        addressing: Addressing::Path,
        source: "https://docs.wasabi.com/docs/what-are-the-service-urls-for-wasabis-different-storage-regions",
    },
    Provider {
        id: "hetzner",
        name: "Hetzner Object Storage",
        endpoint: Endpoint::OfRegion {
            template: "https://{region}.your-objectstorage.com",
        },
        region: "",
        regions: &["fsn1", "nbg1", "hel1"],
        addressing: Addressing::Path,
        source: "https://docs.hetzner.com/storage/object-storage/overview",
    },
    Provider {
        id: "garage",
        name: "Garage",
        endpoint: Endpoint::Own {
            example: "http://192.168.1.10:3900",
        },
        region: "garage",
        regions: &["garage"],
        addressing: Addressing::Path,
        source: "https://garagehq.deuxfleurs.fr/documentation/reference-manual/configuration/",
    },
    Provider {
        id: "ceph",
        name: "Ceph",
        endpoint: Endpoint::Own {
            example: "https://ceph.example.org",
        },
        region: "default",
        regions: &["default"],
        addressing: Addressing::Path,
        source: "https://docs.ceph.com/en/latest/radosgw/s3/",
    },
    Provider {
        id: "seaweedfs",
        name: "SeaweedFS",
        endpoint: Endpoint::Own {
            example: "http://192.168.1.10:8333",
        },
        region: "us-east-1",
        regions: &["us-east-1"],
        addressing: Addressing::Path,
        source: "https://github.com/seaweedfs/seaweedfs/wiki/Amazon-S3-API",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::S3Settings;

    #[test]
    fn every_entry_gives_settings_that_hold() {
        for provider in PROVIDERS {
            let regions = provider
                .regions
                .iter()
                .copied()
                .chain([provider.region])
                .filter(|region| !region.is_empty());
            for region in regions {
                let settings = S3Settings {
                    endpoint: provider.endpoint.address(region, "0123456789abcdef"),
                    bucket: "family-backup".to_owned(),
                    region: region.to_owned(),
                    prefix: String::new(),
                    addressing: provider.addressing,
                };
                assert!(!settings.endpoint.contains('{'), "{}", settings.endpoint);
                settings
                    .address()
                    .unwrap_or_else(|error| panic!("{}: {error}", provider.id));
            }
            assert!(provider.source.starts_with("https://"), "{}", provider.id);
            let own = matches!(provider.endpoint, Endpoint::Own { .. });
            assert!(own || provider.name != provider.id);
        }
    }

    #[test]
    fn entries_have_names_of_their_own() {
        let ids: std::collections::BTreeSet<&str> = PROVIDERS.iter().map(|provider| provider.id).collect();
        assert_eq!(ids.len(), PROVIDERS.len());
    }
}
