//! Places that several people share: they write at the same time, see who is there, and go their own ways.

mod hurt;
mod leave;
mod page;
mod rounds;
mod watch;
