//! The laws of the layer, on paused time.

mod answers;
mod attacks;
mod bounds;
mod handle;
mod leaving;
mod origin;
mod parts;
mod posted;
mod purging;
mod rules;
mod settings;
mod sharing;
