use super::*;

/// Of Linux 6.12 with 3 CPUs, in parallel; of the many steps a few. The last line is of a driver, later.
const PARALLEL: &str = "\
# tracer: nop
#
# entries-in-buffer/entries-written: 24/24   #P:3
#
          <idle>-0       [000] ...1.  18927023596: cpuhp_enter: cpu: 0000 target: 236 step: 192 (page_writeback_cpu_online)
          <idle>-0       [000] ...1.  18940011142: cpuhp_exit:  cpu: 0000  state: 236 step: 192 ret: 0
       swapper/0-1       [000] .....  19942183248: cpuhp_enter: cpu: 0001 target:  85 step:   1 (smpboot_create_threads)
       swapper/0-1       [000] .....  19948555250: cpuhp_exit:  cpu: 0001  state:   1 step:   1 ret: 0
       swapper/0-1       [000] .....  19976707218: cpuhp_multi_enter: cpu: 0001 target:  85 step:  56 (trace_rb_cpu_prepare)
       swapper/0-1       [000] .....  20073020578: cpuhp_exit:  cpu: 0001  state:  56 step:  56 ret: 0
       swapper/0-1       [000] .....  20074100800: cpuhp_enter: cpu: 0001 target:  85 step:  85 (cpuhp_kick_ap_alive)
       swapper/0-1       [000] .....  20083647428: cpuhp_exit:  cpu: 0001  state:  85 step:  85 ret: 0
       swapper/0-1       [000] .....  20084054744: cpuhp_enter: cpu: 0002 target:  85 step:   1 (smpboot_create_threads)
       swapper/0-1       [000] .....  20104616870: cpuhp_exit:  cpu: 0002  state:   1 step:   1 ret: 0
       swapper/0-1       [000] .....  20143265922: cpuhp_enter: cpu: 0002 target:  85 step:  85 (cpuhp_kick_ap_alive)
       swapper/0-1       [000] .....  20150966472: cpuhp_exit:  cpu: 0002  state:  85 step:  85 ret: 0
       swapper/0-1       [000] .....  20217181348: cpuhp_enter: cpu: 0001 target: 236 step:  86 (cpuhp_bringup_ap)
         cpuhp/1-25      [001] .....  20303237461: cpuhp_enter: cpu: 0001 target: 236 step: 150 (smpboot_unpark_threads)
         cpuhp/1-25      [001] .N...  20304148163: cpuhp_exit:  cpu: 0001  state: 150 step: 150 ret: 0
         cpuhp/1-25      [001] .....  20357098593: cpuhp_enter: cpu: 0001 target: 236 step: 235 (sched_cpu_activate)
         cpuhp/1-25      [001] .....  20368842533: cpuhp_exit:  cpu: 0001  state: 235 step: 235 ret: 0
       swapper/0-1       [000] .....  20373410122: cpuhp_exit:  cpu: 0001  state: 236 step:  86 ret: 0
       swapper/0-1       [000] .....  20373913326: cpuhp_enter: cpu: 0002 target: 236 step:  86 (cpuhp_bringup_ap)
         cpuhp/2-31      [002] .....  20382975210: cpuhp_enter: cpu: 0002 target: 236 step: 150 (smpboot_unpark_threads)
         cpuhp/2-31      [002] .....  20384887978: cpuhp_exit:  cpu: 0002  state: 235 step: 235 ret: 0
       swapper/0-1       [000] .....  20390101004: cpuhp_exit:  cpu: 0002  state: 236 step:  86 ret: 0
       swapper/0-1       [001] .....  26354475915: cpuhp_enter: cpu: 0001 target: 236 step:  57 (zs_cpu_prepare)
         cpuhp/2-31      [002] .....  28263773864: cpuhp_enter: cpu: 0002 target: 236 step: 197 (compute_batch_value)
";

/// Of Linux 6.1 with 2 CPUs.
const OLDER: &str = "\
# entries-in-buffer/entries-written: 9/9   #P:2
     swapper/0-1       [000] .....  52588967172: cpuhp_enter: cpu: 0001 target: 236 step:   1 (smpboot_create_threads)
     swapper/0-1       [000] .....  52626067976: cpuhp_exit:  cpu: 0001  state:   1 step:   1 ret: 0
     swapper/0-1       [000] .....  52657465186: cpuhp_multi_enter: cpu: 0001 target: 236 step:  62 (trace_rb_cpu_prepare)
     swapper/0-1       [000] .....  52702434630: cpuhp_exit:  cpu: 0001  state:  62 step:  62 ret: 0
     swapper/0-1       [000] .....  52702856116: cpuhp_enter: cpu: 0001 target: 236 step:  91 (bringup_cpu)
       cpuhp/1-19      [001] .....  53018274946: cpuhp_enter: cpu: 0001 target: 236 step: 156 (smpboot_unpark_threads)
       cpuhp/1-19      [001] .....  53026254086: cpuhp_exit:  cpu: 0001  state: 235 step: 235 ret: 0
     swapper/0-1       [000] .....  53028325962: cpuhp_exit:  cpu: 0001  state: 236 step:  91 ret: 0
       cpuhp/1-19      [001] .....  61233410862: cpuhp_enter: cpu: 0001 target: 236 step: 206 (compute_batch_value)
";

/// At this frequency a tick is a nanosecond.
const GHZ: u64 = 1_000_000_000;

#[test]
fn a_parallel_bringup_is_cut_into_its_parts_and_the_traces_own_time_is_in_none() {
    let inside = Inside::parse(PARALLEL, 3, GHZ).expect("it is whole");
    let trace = 20_073_020_578 - 19_976_707_218;
    let prepare = (20_074_100_800 - 19_942_183_248 - trace) + (20_143_265_922 - 20_084_054_744);
    let kick = (20_083_647_428 - 20_074_100_800) + (20_150_966_472 - 20_143_265_922);
    let answer = (20_303_237_461 - 20_217_181_348) + (20_382_975_210 - 20_373_913_326);
    let online = (20_368_842_533 - 20_303_237_461) + (20_384_887_978 - 20_382_975_210);
    let seen = (20_373_410_122 - 20_368_842_533) + (20_390_101_004 - 20_384_887_978);
    let expected = Inside {
        prepare_ns: prepare,
        kick_ns: kick,
        answer_ns: answer,
        online_ns: online,
        seen_ns: seen,
        total_ns: 20_390_101_004 - 19_942_183_248 - trace,
        trace_ns: trace,
    };
    assert_eq!(inside, expected);
}

#[test]
fn before_6_5_the_kick_is_in_the_answer() {
    let inside = Inside::parse(OLDER, 2, GHZ).expect("it is whole");
    let trace = 52_702_434_630 - 52_657_465_186;
    assert_eq!(inside.kick_ns, 0);
    assert_eq!(inside.prepare_ns, 52_702_856_116 - 52_588_967_172 - trace);
    assert_eq!(inside.answer_ns, 53_018_274_946 - 52_702_856_116);
    assert_eq!(inside.total_ns, 53_028_325_962 - 52_588_967_172 - trace);
}

#[test]
fn ticks_become_nanoseconds() {
    let twice = Inside::parse(OLDER, 2, 2 * GHZ).expect("it is whole");
    let once = Inside::parse(OLDER, 2, GHZ).expect("it is whole");
    assert_eq!(twice.total_ns, once.total_ns / 2);
}

#[test]
fn a_trace_that_lost_events_or_cpus_is_none() {
    let error = |trace: &str, cpus| {
        let error = Inside::parse(trace, cpus, GHZ).expect_err("it is not whole");
        error.to_string()
    };
    let lost = OLDER.replace("9/9", "9/31");
    assert_eq!(error(&lost, 2), "Linux's trace has 9 of 31 events");
    assert!(error("", 2).contains("no trace"));
    assert!(error(PARALLEL, 4).contains("CPU 3"));
    let cut = OLDER.find("53028325962").expect("the end");
    assert!(error(&OLDER[..cut], 2).contains("CPU 1"));
}
