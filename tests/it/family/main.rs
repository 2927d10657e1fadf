//! Places that several people share: they write at the same time, see who is there, and go their own ways.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests fail as tests do

mod leave;
mod page;
mod rounds;
