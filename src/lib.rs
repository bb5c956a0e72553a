#![doc = include_str!("../README.md")]
//!
//! ---
//!
//! This package is not published. It hosts the examples, benches and tests of the workspace, and
//! compiles the code in README.md.
