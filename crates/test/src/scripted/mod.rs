//! A service that does as it is told, and takes down what is done to it.

mod future;
mod script;
mod service;
mod slots;
mod standing;
mod step;
mod tally;

pub use self::{
    future::ResponseFuture,
    script::Script,
    service::{ScriptError, Scripted},
    step::{Readiness, Step},
    tally::{Tally, Violation},
};
