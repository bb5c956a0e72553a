//! Stands for a client that this build does not know.

use std::{any::Any, error::Error};

use tower_ballast_core::Verdict;

pub(super) fn known(_: &dyn Any) -> Option<&(dyn Error + 'static)> {
    None
}

pub(super) fn verdict(_: &(dyn Error + 'static), _: bool) -> Option<Verdict> {
    None
}
