//! The laws of the layer, on paused time.

mod answers;
mod attacks;
mod origin;
mod posted;
mod sharing;
