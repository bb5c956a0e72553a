//! What happened lately: the last so many calls, or those of the last so many seconds.
//!
//! The windows are plain machines, driven by whoever owns them and told the time. Each record
//! costs the same at any rate. [`Striped`] is the counter in front of them that many threads
//! add to without meeting.

mod count;
mod striped;
mod tally;
mod time;

pub use self::{count::CountWindow, striped::Striped, tally::Tally, time::TimeWindow};
