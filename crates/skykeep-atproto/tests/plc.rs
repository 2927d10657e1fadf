//! PLC operations and audit logs, from outside: every rule by a log that keeps it and one that breaks it.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // helpers of tests count as tests

#[path = "plc/audit.rs"]
mod audit;
#[path = "plc/compare.rs"]
mod compare;
#[path = "plc/history.rs"]
mod history;
#[path = "plc/hostile.rs"]
mod hostile;
#[path = "plc/log.rs"]
mod log;
#[path = "plc/operation.rs"]
mod operation;
