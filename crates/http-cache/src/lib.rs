//! An HTTP cache as a Tower layer.

pub mod engine;
