//! Stores that are other crates.

pub use self::{moka::Moka, quick::Quick};

mod moka;
mod quick;
#[cfg(test)]
mod tests;
mod weights;
