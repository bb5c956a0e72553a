//! The laws of the layer, on paused time.

mod answers;
mod origin;
mod sharing;
