//! What the bench and the programs it runs have in common.

pub mod contestant;
pub mod inputs;
