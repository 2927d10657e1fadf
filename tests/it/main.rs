//! Journeys: a real engine over reference servers, real folders, drives and buckets, a story a file.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests fail and speak as tests do

mod away;
mod backup;
mod bad_input;
mod bucket;
mod cli;
mod family;
mod faults;
mod import;
mod inspect;
mod leave;
mod look_up;
mod looking;
mod network;
mod outage;
mod past;
mod rebuild;
mod rounds;
mod together;
mod week;
