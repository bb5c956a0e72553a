//! The rules of an HTTP cache, as functions of what they are given: no I/O, no clock, nothing async.
//!
//! RFC 9111 (caching), RFC 9110 (conditions and ranges), RFC 5861 (stale answers), RFC 8246 (`immutable`), RFC 9211
//! (`Cache-Status`) and RFC 9213 (targeted fields such as `CDN-Cache-Control`). Each rule names its section where it stands.

mod answer;
mod ask;
mod complete;
mod conditions;
mod date;
mod decide;
mod dictionary;
mod directives;
mod entry;
mod freshen;
mod freshness;
mod keep;
mod key;
mod list;
mod own;
mod purge;
mod range;
mod rules;
mod status;
mod targeted;
#[cfg(test)]
mod tests;
mod time;
mod vary;

pub use self::{
    answer::{Answer, Part},
    ask::Ask,
    complete::Completed,
    decide::{Decision, Forward, Stale, decide},
    entry::Entry,
    freshen::{freshen, is_same},
    keep::{Unkept, keep},
    key::Key,
    purge::outdated,
    rules::{Cookies, Rules},
    status::{Outcome, Status, Ttl},
    time::{Times, Wall},
};
