//! Stories of one cache: nothing is kept that may not be, shown as younger than it is, or served for longer than it may be.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_ballast_fuzz::{story::Story, telling::tell};

fuzz_target!(|story: Story| tell(&story));
