//! The rules of an HTTP cache, as functions of what they are given: no I/O, no clock, nothing async.
//!
//! RFC 9111 (caching), RFC 9110 (conditions and ranges), RFC 5861 (stale answers), RFC 8246 (`immutable`), RFC 9211
//! (`Cache-Status`) and RFC 9213 (targeted fields such as `CDN-Cache-Control`). Each rule names its section where it stands.

mod age;
mod answer;
mod conditions;
mod control;
mod decide;
mod entry;
mod fields;
mod freshen;
mod keep;
mod key;
mod purge;
mod range;
mod rules;
mod status;
mod structured;
#[cfg(test)]
mod tests;
mod vary;

pub use self::{
    age::Wall,
    answer::{Answer, Part},
    decide::{Ask, Decision, Forward, Stale, decide},
    entry::{Entry, Extent, Times},
    freshen::{freshen, is_same},
    keep::{Unkept, keep},
    key::Key,
    purge::{is_for_get, outdated},
    rules::{Cookies, Rules},
    status::{Outcome, Status, Ttl},
};
