//! One wrong layer for each law, which shows that the law can fail, and which laws fail with it.

mod beast;
mod calls;
mod leaks;
mod places;
mod waits;

use std::panic::{AssertUnwindSafe, catch_unwind};

use tower_ballast_test::laws::{ALL, Testable};

/// Asserts that exactly these laws break, the first of them with this text in its message.
#[track_caller]
fn breaks(subject: &dyn Testable, expected: &[&str], text: &str) {
    let mut broken = Vec::new();
    for (name, law) in ALL {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| law(subject))) {
            let message =
                panic.downcast_ref::<String>().expect("laws break with a message").clone();
            broken.push((*name, message));
        }
    }
    let first = broken.iter().find(|(name, _)| *name == expected[0]);
    let message = first.map_or("", |(_, message)| message.as_str());
    assert!(message.contains(text), "{} should say {text:?}: {broken:#?}", expected[0]);

    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let mut names: Vec<_> = broken.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(names, expected, "{broken:#?}");
}
