//! Where each CPU sits, by what it says of itself, is where QEMU was told to put it.

use reveille_smp::{
    cpu::{ApicId, CpuIndex},
    record::{CpuState, Topology},
};
use reveille_tests::qemu::{
    machine::{Accel, Machine},
    smp::Smp,
};

use crate::boot::{boot, comes_up_whole};

/// How many of each there are, in the next larger one.
#[derive(Clone, Copy, Debug)]
struct Shape {
    sockets: u32,
    dies: u32,
    cores: u32,
    threads: u32,
}

/// Where a CPU was put, and the id that it has by that.
#[derive(Clone, Copy, Debug)]
struct Seat {
    apic_id: ApicId,
    socket: u32,
    die: u32,
    core: u32,
    thread: u32,
}

const fn shape([sockets, dies, cores, threads]: [u32; 4]) -> Shape {
    Shape {
        sockets,
        dies,
        cores,
        threads,
    }
}

impl Shape {
    fn smp(self) -> Smp {
        let Self {
            sockets,
            dies,
            cores,
            threads,
        } = self;
        format!("sockets={sockets},dies={dies},cores={cores},threads={threads}")
            .parse()
            .expect("it is a shape")
    }

    /// In the order of QEMU's list, which is that of our numbers.
    fn seats(self) -> Vec<Seat> {
        let mut seats = Vec::new();
        for socket in 0..self.sockets {
            for die in 0..self.dies {
                for core in 0..self.cores {
                    for thread in 0..self.threads {
                        // As many bits for each as its count needs.
                        let joined = [(self.dies, die), (self.cores, core), (self.threads, thread)];
                        let id = joined.iter().fold(socket, |id, (count, number)| {
                            id << count.next_power_of_two().trailing_zeros() | number
                        });
                        seats.push(Seat {
                            apic_id: ApicId(id),
                            socket,
                            die,
                            core,
                            thread,
                        });
                    }
                }
            }
        }
        seats
    }

    /// The core within its package, as the bits of its id number it.
    fn core_in_package(self, seat: Seat) -> u32 {
        seat.die << self.cores.next_power_of_two().trailing_zeros() | seat.core
    }
}

/// Without dies; odd counts leave holes in the ids.
const FLAT: [Shape; 4] = [
    shape([1, 1, 3, 2]),
    shape([2, 1, 3, 1]),
    shape([3, 1, 1, 3]),
    shape([2, 1, 2, 2]),
];
const WITH_DIES: [Shape; 2] = [shape([2, 2, 3, 2]), shape([1, 3, 2, 1])];

/// Boots a model in a shape; gives what is told of each CPU.
fn states(model: &str, shape: Shape) -> Vec<CpuState> {
    let machine = Machine::new(shape.smp()).cpu(model).accel(Accel::Icount);
    let ended = comes_up_whole(&machine);
    ended.records.cpu_states().expect("all records are whole")
}

/// Every CPU says that it sits where it was put, by this leaf. Without dies, cores count through all
/// of a package.
fn sit_where_they_were_put(model: &str, shape: Shape, source: &str, tells_dies: bool) {
    let (states, seats) = (states(model, shape), shape.seats());
    assert_eq!(states.len(), seats.len());
    for (number, (state, seat)) in (0..).zip(states.iter().zip(seats)) {
        let expected = Topology {
            source: Some(source.to_owned()),
            package: Some(seat.socket),
            die: tells_dies.then_some(seat.die),
            core: Some(match tells_dies {
                true => seat.core,
                false => shape.core_in_package(seat),
            }),
            thread: Some(seat.thread),
            node: None,
            contradictions: Vec::new(),
        };
        let id = (state.cpu, state.apic_id);
        assert_eq!(id, (CpuIndex(number), seat.apic_id), "{model}, {shape:?}");
        assert_eq!(state.topology, expected, "{model}, {shape:?}, {seat:?}");
    }
}

/// Where there is one die a package QEMU has no leaf that knows of dies, whatever the model.
fn tells_all_but_dies(model: &str) {
    for shape in FLAT {
        sit_where_they_were_put(model, shape, "b", false);
    }
}

/// Leaf 0x1F is there where the model's leaves go so far. QEMU 10.0 lets those of Intel's models end
/// with it, and fails an assertion when SeaBIOS then asks for a hypervisor's leaf: so one more.
fn tells_dies(model: &str) {
    let with_leaf_1f = format!("{model},level=0x20");
    for shape in WITH_DIES {
        sit_where_they_were_put(&with_leaf_1f, shape, "1f", true);
    }
}

/// The leaves of these models end before 0x1F, and TCG has no 0x8000_001E.
fn cannot_tell_dies(model: &str) {
    for shape in WITH_DIES {
        sit_where_they_were_put(model, shape, "b", false);
    }
}

#[test]
fn on_max_every_cpu_sits_where_it_was_put() {
    tells_all_but_dies("max");
    tells_dies("max");
    cannot_tell_dies("max");
}

#[test]
fn on_qemu64_every_cpu_sits_where_it_was_put() {
    tells_all_but_dies("qemu64");
    tells_dies("qemu64");
    cannot_tell_dies("qemu64");
}

#[test]
fn on_nehalem_every_cpu_sits_where_it_was_put() {
    tells_all_but_dies("Nehalem");
    tells_dies("Nehalem");
}

#[test]
fn on_skylake_server_every_cpu_sits_where_it_was_put() {
    tells_all_but_dies("Skylake-Server");
    tells_dies("Skylake-Server");
}

#[test]
fn on_epyc_every_cpu_sits_where_it_was_put() {
    tells_all_but_dies("EPYC");
    tells_dies("EPYC");
    cannot_tell_dies("EPYC");
}

/// A machine with two nodes, to which `cpus` are given as `-numa cpu` takes them.
fn two_nodes(shape: Shape, cpus: &[&str]) -> Machine {
    let mut machine = Machine::new(shape.smp()).accel(Accel::Icount);
    let mut option = |name: &str, value: &str| {
        machine.further.extend([name.to_owned(), value.to_owned()]);
    };
    for node in 0..2 {
        option(
            "-object",
            &format!("memory-backend-ram,id=memory{node},size=256M"),
        );
        option("-numa", &format!("node,nodeid={node},memdev=memory{node}"));
    }
    for cpu in cpus {
        option("-numa", &format!("cpu,{cpu}"));
    }
    machine
}

#[test]
fn the_node_of_every_cpu_is_the_one_that_it_was_given_to() {
    let nodes_crosswise = ["node-id=1,socket-id=0", "node-id=0,socket-id=1"];
    let shape = shape([2, 1, 3, 2]);
    for model in ["max", "Skylake-Server"] {
        let ended = comes_up_whole(&two_nodes(shape, &nodes_crosswise).cpu(model));
        let states = ended.records.cpu_states().expect("all records are whole");
        assert_eq!(states.len(), 12);
        for (state, seat) in states.iter().zip(shape.seats()) {
            let topology = &state.topology;
            let (package, node) = (topology.package, topology.node);
            assert_eq!((package, node), (Some(seat.socket), Some(1 - seat.socket)));
            assert!(topology.contradictions.is_empty(), "{state:?}");
        }
    }
}

#[test]
fn a_core_whose_threads_are_in_two_nodes_is_told_and_the_others_are_not() {
    let split = [
        "node-id=0,socket-id=0,core-id=0,thread-id=0",
        "node-id=1,socket-id=0,core-id=0,thread-id=1",
        "node-id=1,socket-id=0,core-id=1",
    ];
    let ended = comes_up_whole(&two_nodes(shape([1, 1, 2, 2]), &split));
    let states = ended.records.cpu_states().expect("all records are whole");
    let found = states
        .iter()
        .map(|state| &state.topology.contradictions[..]);
    let found: Vec<&[String]> = found.collect();
    let sentence = |own, other| {
        format!("the SRAT has it in node {own}, and a thread of its core in node {other}")
    };
    assert_eq!(found[0], [sentence(0, 1)]);
    assert_eq!(found[1], [sentence(1, 0)]);
    assert!(found[2].is_empty() && found[3].is_empty());
    let line = format!("CPU 1: {}", sentence(1, 0));
    assert!(ended.console.contains(&line), "no line `{line}`");
}

/// A CPU without leaf 0xB has to go by other counts, which see no threads.
#[test]
fn a_cpu_that_cuts_ids_in_another_way_is_told_and_placed_as_the_others() {
    let smp: Smp = "1,maxcpus=4,sockets=2,cores=1,threads=2"
        .parse()
        .expect("it is a shape");
    let mut machine = Machine::new(smp).accel(Accel::Icount);
    for (socket, thread, more) in [(0, 1, ""), (1, 0, ",cpuid-0xb=off")] {
        let device = format!(
            "max-x86_64-cpu,socket-id={socket},die-id=0,core-id=0,thread-id={thread}{more}"
        );
        machine.further.extend(["-device".to_owned(), device]);
    }
    let ended = boot(&machine);
    let states = ended.records.cpu_states().expect("all records are whole");
    assert_eq!(states.len(), 3);
    for state in &states[..2] {
        assert!(state.topology.contradictions.is_empty(), "{state:?}");
    }
    let odd = &states[2].topology;
    assert_eq!(odd.contradictions.len(), 1, "{odd:?}");
    assert!(odd.contradictions[0].starts_with("its CPUID cuts ids as "));
    let place = (odd.package, odd.core, odd.thread);
    assert_eq!(place, (Some(1), Some(0), Some(0)), "the id's bits win");
}
