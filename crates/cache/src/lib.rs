//! A Tower layer that keeps the answers of a service by key.

pub mod store;
