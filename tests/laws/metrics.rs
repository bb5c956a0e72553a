use tower_ballast::{metrics::MetricsLayer, prelude::*};
use tower_ballast_test::{ScriptError, laws};

laws! {
    mod unnamed;
    layer: MetricsLayer::new,
    readiness: pass_through,
    counts: |layer: &MetricsLayer| layer.handle().of("requests").map_or(0, |of| of.in_flight),
}

laws! {
    mod by_operation;
    layer: || MetricsLayer::new()
        .operation(|number: &u32| if number.is_multiple_of(2) { "even" } else { "odd" })
        .classify(|outcome: Result<&u32, &ScriptError>| match outcome {
            Ok(_) => Verdict::Success,
            Err(_) => Verdict::fault(),
        }),
    readiness: pass_through,
}

laws! {
    mod without_room;
    layer: || MetricsLayer::new().most_operations(0).operation(|_: &u32| "any"),
    readiness: pass_through,
}
