use std::time::Duration;

use super::{
    Mount, broken,
    crowd::finish,
    mount::{AnyService, HOUR, ask, ask_own, asked},
    subject::{Testable, Trip},
};
use crate::{Step, time};

/// All services of one layer share its state: those of repeated `Layer::layer` calls, made before
/// or after, those of clones of the layer, and clones of a service.
///
/// Frameworks call `Layer::layer` anew for each connection, route or request, so a layer that
/// keeps its state in the service protects nothing. What brings the layer to treat requests
/// otherwise is told by [`Subject::trip`](super::Subject::trip). Without it only this is checked:
/// that all these services serve.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn keeps_its_state_in_the_layer(subject: &dyn Testable) {
    const LAW: &str = "all services of one layer and of its clones share its state";
    time::drive(async {
        let mount = subject.mount();
        for (maker, mut service) in relatives(&mount, &mount.service()) {
            if let Err(seen) = mount.serves_ten(&mut service).await {
                broken(LAW, format!("through {maker}, {seen}"));
            }
        }
        let Some(trip) = subject.mount().settings.trip else {
            return;
        };

        let fresh = subject.mount();
        let before = inner_calls_of_one(&fresh, &mut fresh.service(), trip).await;

        let mount = subject.mount();
        let mut first = mount.service();
        let early = mount.service();
        let held = trip_through(&mount, &mut first, trip).await;
        let after = inner_calls_of_one(&mount, &mut first, trip).await;
        if after == before {
            let seen = format!(
                "the service that was tripped by {trip:?} still made {after} inner call(s)"
            );
            broken(LAW, seen);
        }
        let mut others = relatives(&mount, &first);
        others.push(("a service made before", early));
        for (maker, mut service) in others {
            let other = inner_calls_of_one(&mount, &mut service, trip).await;
            if other != after {
                let seen = format!(
                    "after {trip:?}, one request made {after} inner call(s) through the service \
                     that was tripped, and {other} through {maker}"
                );
                broken(LAW, seen);
            }
        }
        drop(held);
    });
}

fn relatives(mount: &Mount, service: &AnyService) -> Vec<(&'static str, AnyService)> {
    vec![
        ("a second service of the layer", mount.service()),
        ("a service of a clone of the layer", mount.service_of_clone()),
        ("a clone of the service", service.cloned()),
    ]
}

/// Does what the trip says; what comes back is to be kept while it shall last.
async fn trip_through(
    mount: &Mount,
    service: &mut AnyService,
    trip: Trip,
) -> Vec<super::mount::Response> {
    let mut held = Vec::new();
    mount.script.always(step(trip));
    match trip {
        Trip::Failing(times) | Trip::Answered(times) => {
            for number in 0..times {
                // The outcome does not matter: the last of them may be refused already.
                let _ = asked(service, number).await;
            }
        }
        Trip::InFlight(times) => {
            mount.script.always(Step::hang());
            for number in 0..times {
                let mut call: super::mount::Response = Box::pin(ask_own(service.cloned(), number));
                if time::poll_once(call.as_mut()).is_pending() {
                    held.push(call);
                }
            }
        }
    }
    held
}

async fn inner_calls_of_one(mount: &Mount, service: &mut AnyService, trip: Trip) -> usize {
    mount.script.always(step(trip));
    // One that fails may be retried after a while; any other would only outwait the trip.
    let patience = match trip {
        Trip::Failing(_) => HOUR,
        _ => Duration::ZERO,
    };
    let before = mount.script.tally().calls;
    let _ = finish(ask(service, 1), patience).await;
    mount.script.tally().calls - before
}

fn step(trip: Trip) -> Step {
    match trip {
        Trip::Failing(_) => Step::fail(),
        Trip::Answered(_) | Trip::InFlight(_) => Step::answer(),
    }
}
