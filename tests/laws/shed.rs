use tower_ballast::{
    bulkhead::{
        shed::{ShedLayer, Thresholds},
        system::SystemLoad,
    },
    prelude::*,
};
use tower_ballast_test::laws;

fn overloaded() -> SystemLoad {
    let load = SystemLoad::new();
    load.set(Ratio::ONE);
    load
}

laws! {
    mod calm;
    layer: || ShedLayer::new(&SystemLoad::new()),
    readiness: pass_through,
    counts: |layer: &ShedLayer| layer.handle().refused(),
}

laws! {
    mod overloaded_below_what_comes;
    layer: || ShedLayer::new(&overloaded()),
    readiness: pass_through,
    counts: |layer: &ShedLayer| layer.handle().refused(),
}

laws! {
    mod with_facts;
    layer: || ShedLayer::new(&overloaded())
        .thresholds(Thresholds::default().high(Ratio::percent::<99>()))
        .facts(idempotent()),
    readiness: pass_through,
}

laws! {
    mod off;
    layer: || ShedLayer::new(&overloaded()).enforcement(Enforcement::Off),
    readiness: pass_through,
}

laws! {
    mod shadow;
    layer: || ShedLayer::new(&overloaded()).enforcement(Enforcement::Shadow),
    readiness: pass_through,
}
