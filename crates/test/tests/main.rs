//! The test kit under test: sound layers pass every law, and each law has a layer that breaks it.

mod scripted;
mod sound;
mod time;
mod zoo;
