//! Charts may say anything: times of any size in any order, as a file that somebody gives us may have them.

use proptest::{collection::vec, option, prelude::*};
use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    outcome::Outcome,
};
use roxmltree::Document as Xml;

use super::{hides_no_stage, is_in_order, of_class};
use crate::bootchart::{BootChart, Doing, Lane, Span, Turn, stage::Milestones, svg::draw};

const OUTCOMES: [Outcome; 10] = [
    Outcome::Bsp,
    Outcome::Online,
    Outcome::NeverStarted,
    Outcome::StuckRealMode,
    Outcome::StuckLongMode,
    Outcome::UnknownId,
    Outcome::Late,
    Outcome::Failed,
    Outcome::Skipped,
    Outcome::Disabled,
];

fn any_time() -> impl Strategy<Value = u64> {
    let edges = prop::sample::select(vec![0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX]);
    prop_oneof![edges, 0..2_000_000_u64, any::<u64>()]
}

prop_compose! {
    fn any_lane()(
        times in prop::array::uniform6(option::of(any_time())),
        outcome in 0..OUTCOMES.len(),
        (cpu, apic_id) in (option::of(any::<u32>()), any::<u32>()),
        (step, reason) in (option::of("[a-z]{1,40}"), option::of("\\PC{0,300}")),
        (sipis, polls, uncertainty_ns) in (any::<u32>(), any::<u32>(), option::of(any_time())),
    ) -> Lane {
        let [init_ns, sipi_ns, real_ns, long_ns, alive_ns, online_ns] = times;
        Lane {
            cpu: cpu.map(CpuIndex),
            apic_id: ApicId(apic_id),
            place: None,
            outcome: OUTCOMES[outcome],
            step,
            reason,
            times: Milestones { init_ns, sipi_ns, real_ns, long_ns, alive_ns, online_ns },
            sipis,
            polls,
            uncertainty_ns,
        }
    }
}

prop_compose! {
    fn any_span()(is_poll: bool, began_ns in any_time(), ended_ns in any_time()) -> Span {
        let doing = if is_poll { Doing::Poll } else { Doing::Sleep };
        Span { doing, began_ns, ended_ns }
    }
}

prop_compose! {
    fn any_turn()(cpu: u32, began_ns in any_time(), ended_ns in any_time()) -> Turn {
        let (cpu, step) = (CpuIndex(cpu), "join".to_owned());
        Turn { cpu, step, began_ns, ended_ns }
    }
}

prop_compose! {
    fn any_chart()(
        lanes in prop_oneof![vec(any_lane(), 0..6), vec(any_lane(), 90..120)],
        (bsp, serialised) in (option::of(vec(any_span(), 0..9)), option::of(vec(any_turn(), 0..9))),
        (aps, online) in (any::<u32>(), any::<u32>()),
        (online_ns, total_ns) in (option::of(any_time()), any_time()),
    ) -> BootChart {
        BootChart {
            machine: "BOCHS BXPC".to_owned(),
            hypervisor: "none".to_owned(),
            model: None,
            strategy: "parallel".to_owned(),
            aps,
            online,
            online_ns,
            total_ns,
            lanes,
            bsp,
            serialised,
            gaps: Vec::new(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_chart_is_drawn_with_its_stages_in_order_and_none_hidden(chart in any_chart()) {
        let text = draw(&chart);
        let xml = Xml::parse(&text).expect("it is XML");
        let lanes = of_class(&xml, "lane");
        prop_assert_eq!(lanes.len(), chart.lanes.len());
        lanes.iter().for_each(|lane| is_in_order("any", *lane));
        hides_no_stage("any", &xml);
    }
}
