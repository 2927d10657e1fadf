//! What the command line says: a function for every sentence, made from `assets/text` when this is built (see build.rs).

use skykeep_engine::{Value, words};

include!(concat!(env!("OUT_DIR"), "/said.rs"));
