use tower_ballast::prelude::*;
use tower_ballast_test::laws;

laws! {
    mod by_number;
    layer: || CoalesceLayer::<_, u32, u32>::new(|number: &u32| Some(*number)),
    readiness: always,
    counts: |layer: &CoalesceLayer<_, u32, u32>| layer.handle().statistics().in_flight,
}

laws! {
    mod without_keys;
    layer: || CoalesceLayer::<_, u32, u32>::new(|_: &u32| None),
    readiness: always,
}
