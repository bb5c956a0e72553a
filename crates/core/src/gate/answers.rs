//! What a gate tells its callers.

use crate::ranks::Place;

/// What became of a caller that joined the line.
#[derive(Debug)]
#[must_use = "an entry has to be given back, and a place too"]
pub enum Joined {
    /// There was room, and the caller is inside.
    Entered,
    /// The caller has a place in line.
    Waits(Place),
    /// It may not wait.
    Full,
    /// The gate is closed to newcomers.
    Closed,
}

/// What a caller in line sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "who has entered has to go out"]
pub enum Look {
    /// It is inside now, and its place is given back.
    Entered,
    /// It is to be woken when there is something new to see.
    NotYet,
    /// It lost its place to another, and the place is given back.
    Evicted,
}
