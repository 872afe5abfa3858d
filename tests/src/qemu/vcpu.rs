//! A vCPU seen from outside: the registers that the monitor's `info registers -a` prints.

use std::{collections::HashMap, fmt};

use anyhow::{Context, Result};

/// EFER.LMA: long mode is active (SDM, vol. 3, 2.2.1).
const EFER_LMA: u64 = 1 << 10;

/// One vCPU at the moment of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vcpu {
    /// QEMU's number of it.
    pub index: u32,
    /// Where it is.
    pub rip: u64,
    /// Its stack.
    pub rsp: u64,
    /// Whether it halts.
    pub halted: bool,
    /// Whether it runs 64-bit code.
    pub long_mode: bool,
}

/// Takes the monitor's answer apart.
pub fn parse(text: &str) -> Result<Vec<Vcpu>> {
    text.split("CPU#")
        .skip(1)
        .map(|block| parse_one(block).context(block.to_owned()))
        .collect()
}

fn parse_one(block: &str) -> Result<Vcpu> {
    let (index, rest) = block
        .split_once('\n')
        .context("no line end after the CPU's number")?;
    // `NAME=value` and `NAME =value`; a segment has further words after its value.
    let spaced = rest.replace(" =", "=");
    let fields: HashMap<&str, &str> = spaced
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .collect();
    let number = |name: &str| {
        let value = fields.get(name).with_context(|| format!("no {name}"))?;
        u64::from_str_radix(value, 16).with_context(|| format!("{name}={value}"))
    };
    Ok(Vcpu {
        index: index.trim().parse().context("the CPU's number")?,
        // In real mode, the registers have their 32-bit names.
        rip: number("RIP").or_else(|_| number("EIP"))?,
        rsp: number("RSP").or_else(|_| number("ESP"))?,
        halted: number("HLT")? == 1,
        long_mode: number("EFER")? & EFER_LMA != 0 && rest.contains("CS64"),
    })
}

/// CPUs that are in the same place in the same state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The first of them, for all.
    pub vcpu: Vcpu,
    /// Their numbers as runs from first to last, lowest first.
    runs: Vec<(u32, u32)>,
}

impl Group {
    /// Puts together what is alike, in the order in which it appears.
    pub fn all(vcpus: impl IntoIterator<Item = Vcpu>) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for vcpu in vcpus {
            let index = vcpu.index;
            let is_alike = |group: &&mut Self| group.vcpu.place() == vcpu.place();
            match groups.iter_mut().find(is_alike) {
                Some(group) => match group.runs.last_mut() {
                    Some((_, last)) if *last + 1 == index => *last = index,
                    _ => group.runs.push((index, index)),
                },
                None => groups.push(Self {
                    vcpu,
                    runs: vec![(index, index)],
                }),
            }
        }
        groups
    }
}

impl Vcpu {
    fn place(&self) -> (u64, bool, bool) {
        (self.rip, self.halted, self.long_mode)
    }
}

/// Such as `CPUs 1-3,5 halted`.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs: Vec<String> = self
            .runs
            .iter()
            .map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            })
            .collect();
        let is_one = matches!(self.runs.as_slice(), [(first, last)] if first == last);
        let noun = if is_one { "CPU" } else { "CPUs" };
        let verb = if self.vcpu.halted {
            "halted"
        } else {
            "running"
        };
        let mode = if self.vcpu.long_mode {
            ""
        } else {
            ", not in 64-bit code"
        };
        write!(f, "{noun} {} {verb}{mode}", runs.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "
CPU#0
RAX=0000000000000000 RBX=0000000000000001 RCX=00000000c0000080 RDX=0000000000000000
RSI=0000000000000000 RDI=0000000000000000 RBP=0000000000204ff0 RSP=0000000000204fd8
RIP=0000000000101234 RFL=00000246 [---Z-P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
ES =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]
CS =0008 0000000000000000 ffffffff 00af9b00 DPL=0 CS64 [-RA]
CR0=80010011 CR2=0000000000000000 CR3=0000000000102000 CR4=00000020
EFER=0000000000000d00
CPU#1
EAX=00000000 EBX=00000000 ECX=00000000 EDX=00060fb1
ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000
EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1
CS =f000 ffff0000 0000ffff 00009b00 DPL=0 CS16 [-RA]
CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000
EFER=0000000000000000
";

    #[test]
    fn a_cpu_in_long_mode_is_told_from_one_that_never_started() {
        let vcpus = parse(TWO).expect("two CPUs");
        let long = Vcpu {
            index: 0,
            rip: 0x101234,
            rsp: 0x204fd8,
            halted: true,
            long_mode: true,
        };
        let reset = Vcpu {
            index: 1,
            rip: 0xfff0,
            rsp: 0,
            halted: true,
            long_mode: false,
        };
        assert_eq!(vcpus, [long, reset]);
    }

    #[test]
    fn a_cpu_in_compatibility_mode_is_not_in_64_bit_code() {
        let text = TWO.replace("CS64", "CS32");
        assert!(!parse(&text).expect("two CPUs")[0].long_mode);
    }

    #[test]
    fn an_answer_that_lacks_a_register_is_an_error() {
        assert!(parse(&TWO.replace("HLT=1", "")).is_err());
    }

    #[test]
    fn cpus_that_do_the_same_are_named_together() {
        let at = |index, rip| Vcpu {
            index,
            rip,
            rsp: 0,
            halted: rip == 1,
            long_mode: true,
        };
        let groups = Group::all([at(0, 2), at(1, 1), at(2, 1), at(3, 3), at(4, 1)]);
        let texts: Vec<String> = groups.iter().map(Group::to_string).collect();
        assert_eq!(
            texts,
            ["CPU 0 running", "CPUs 1-2,4 halted", "CPU 3 running"]
        );
    }
}
