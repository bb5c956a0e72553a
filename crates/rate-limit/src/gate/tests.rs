use super::*;

mod gcra;
