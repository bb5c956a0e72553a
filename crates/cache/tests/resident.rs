//! What a store takes of the machine's memory; alone in its process, since that is what is measured.

#![cfg(target_os = "linux")]

use std::{fs, sync::Arc, thread};

use tower_ballast_cache::store::{Capacity, S3Fifo, Store};
use tower_ballast_core::Random;

const LIMIT: u64 = 64 * 1024 * 1024;

#[test]
fn resident_memory_is_at_most_half_as_much_again_as_the_limit() {
    let before = resident();
    let store = S3Fifo::<u64, Arc<[u8]>>::new(Capacity::of_bytes(LIMIT));
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let (random, mut put) = (Random::seeded(thread), 0);
                while put < 10 * LIMIT / 4 {
                    let size = random.below(random.below(32_768));
                    put += size;
                    let size = usize::try_from(size).unwrap();
                    let _ = store.put(random.below(1_000_000), vec![1; size].into(), size + 16);
                    assert!(store.usage().bytes <= LIMIT);
                }
            });
        }
    });
    assert!(store.usage().bytes >= LIMIT / 100 * 95);
    let grown = resident().saturating_sub(before);
    assert!(grown <= LIMIT / 2 * 3, "{grown} bytes");
}

/// The highest resident memory that this process ever had.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.expect("the kernel writes a number of kB") * 1024
}
