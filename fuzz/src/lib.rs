//! Fuzzing what strangers send us, with the stable compiler and libFuzzer (needs a C++ compiler):
//!
//!     cd fuzz && cargo run --release --bin car -- corpus/car -max_total_time=60
//!
//! Targets are `car`, `node`, `commit`, `record`, `operation` and `log`. What is found is kept: put the file into the
//! target's `corpus/`, and every ordinary test run replays it (`tests/corpora.rs` of skykeep-atproto). The flags that
//! libFuzzer needs are in `.cargo/config.toml`, which counts only where it is started from this folder.

pub mod targets;
