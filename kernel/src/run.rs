//! A run of the kernel, from the loader's start info to the verdict.

use alloc::{boxed::Box, format, string::ToString, vec::Vec};
use core::{convert::Infallible, error::Error, future::pending, time::Duration};

use reveille_executor::{Clock, Counters, Executor, Spawner, Timer};
use reveille_smp::{
    bringup::Timing,
    cpu::CpuIndex,
    inbox::MAX_TASKS,
    lines::Sentence,
    look::{Hue, Look},
    madt::Madt,
    plan::plan,
    record::exit_code,
    require::Enough,
    srat::Srat,
    wiring::Wiring,
};
use x86_64::instructions::interrupts;

use crate::{
    acpi::{
        self, AcpiError, AcpiInfo,
        fixed_hardware::{FixedHardware, NoFixedHardware},
    },
    apic::{ApicMode, LocalApic, timer::ApicTimer},
    attempts,
    bench::{self, Bench},
    boot::{BootInfo, pvh},
    calling, calls,
    command_line::{After, MadtSource, Options, TestHook},
    consistency::{self, Settled, clock::Clocks, identity, registers},
    console::print_lines,
    cpu_list::CpuList,
    cpuid::ThisCpu,
    cpus::{
        self, Cpus,
        home::Home,
        idle, machine,
        mailbox::MappedMailbox,
        metrics::CpuMetrics,
        rendezvous,
        roll_call::roll_call,
        same_page::same_page,
        waking::{self, Waking},
    },
    exit::{self, exit},
    hooks,
    hotplug::{Hotplug, Unavailable, WhyPoll},
    interruption::Interruption,
    io_apic::IoApics,
    memory::{
        self, image,
        paging::MapError,
        physical::BootMapping,
        shoot_down::{self, ShootDownError},
    },
    most_attempts,
    operations::{Operations, in_use::InUse, one_way},
    percpu::StackBounds,
    platform::CpuPlatform,
    println, protection, report,
    reset::{ResetRegister, reset},
    sci::Sci,
    shell::{self, Context, Leave, command::Verdict},
    stops,
    time::{self, Calibration, Devices, Hpet, PmTimer, TscClock},
    topology::Topology,
    trace::{self, asked::Tracing},
    vmm::Vmm,
    vmm_probe::{self, VmmProbe, boot_timer::BootTimer, marks},
};

mod told;

use told::Told;

type Failure = Box<dyn Error>;

/// Runs the kernel and ends it with a verdict. `entry_tsc` is the time stamp counter at the first
/// instruction: the epoch of all times.
///
/// # Safety
///
/// Called once, on the BSP, on the boot stack and page tables, with interrupts off and the address
/// at which the loader left its start info.
pub unsafe fn run(start_info: u64, entry_tsc: u64) -> ! {
    // SAFETY: as promised to us.
    let Err(failure) = unsafe { boot(start_info, entry_tsc) };
    exit(conclude(Err(failure), Look::default()))
}

/// Says how the run ended, on both channels, and gives the status to exit with.
fn conclude(result: Result<Option<Enough>, Failure>, look: Look) -> u8 {
    let verdict = result.map_err(|error| error.to_string());
    calls::kept::write();
    report::write_exit(verdict.as_ref().err().cloned());
    let (ok, failed) = (look.paint(Hue::Good, "ok"), look.paint(Hue::Bad, "failed"));
    let (text, code) = match verdict {
        Ok(None) => (format!("reveille: {ok}"), exit_code::OK),
        Ok(Some(enough)) => (format!("reveille: {ok}: {enough}"), exit_code::OK),
        Err(reason) => (format!("reveille: {failed}: {reason}"), exit_code::FAILED),
    };
    say(&text, look);
    code
}

/// Says a sentence, in as many lines as a terminal needs for it.
fn say(text: &str, look: Look) {
    let indent = "reveille: ".len();
    print_lines(Sentence { text, indent, look });
}

/// Takes the machine over and goes on in the executor.
///
/// # Safety
///
/// As for [`run`].
unsafe fn boot(start_info: u64, entry_tsc: u64) -> Result<Infallible, Failure> {
    crate::interrupts::set_up();
    // SAFETY: the boot page tables are in use until `memory::init`.
    let physical = unsafe { BootMapping::assume() };
    let boot = pvh::parse(&physical, start_info)?;
    let options = Options::parse(&boot.command_line)?;
    if options.probe != VmmProbe::Off {
        marks::begin();
    }
    let mut tables = acpi::read(&physical, boot.rsdp);
    let srat = tables.as_mut().ok().and_then(|tables| tables.srat.take());
    let madt = madt(&options, &tables, &boot, &physical)?;
    // SAFETY: the caller's promise, and all that the loader and the firmware told is copied.
    unsafe { memory::init(&boot) }?;

    let named = vmm(&tables);
    if let Some(vmm) = named {
        exit::on_machine_of(vmm);
    }
    let boot_timer = BootTimer::find(options.probe, named, map_page)?;
    // One that has no tables is known by what a person says, once nothing has spoken against it.
    if options.probe == VmmProbe::Firecracker {
        exit::on_machine_of(Vmm::Firecracker);
    }
    let cpu_list = CpuList::parse(madt);
    let io_apics = IoApics::new(wiring(&options, &cpu_list, tables.as_ref().ok()));
    let tables = tables.ok();
    let fixed_hardware = tables
        .as_ref()
        .map_or(Err(NoFixedHardware::NoFadt), |tables| {
            tables.fixed_hardware.clone()
        });
    let hpet = tables.as_ref().and_then(map_hpet);
    let reset = tables.as_ref().and_then(|tables| tables.reset);
    let calibration = calibrate(tables.as_ref(), hpet)?;
    let clock = TscClock::new(calibration.chosen.tsc_hz, entry_tsc);
    clock.publish();
    let apic = LocalApic::set_up(map_page)?;
    let timer = ApicTimer::set_up(apic, clock)?;
    let waking = waking::choose(options.wake, cpu_list.mailbox(), MappedMailbox::map)?;

    let main_stack = image::boot_stack();
    let main_stack = StackBounds {
        bottom: main_stack.start,
        top: main_stack.end,
    };
    let ring = options
        .room_for_events()
        .ring_of_bsp(cpu_list.processors().len())?;
    // Its executor is made below, for as many tasks as there are APs.
    let bsp = cpus::area(
        CpuIndex::BSP,
        apic.id(),
        main_stack,
        || Home::new(None),
        Vec::new(),
        ring.map(|ring| (ring, clock)),
    )?;
    // SAFETY: this is the BSP, interrupts are off, and the stacks are its own.
    unsafe { bsp.enter() };
    if options.trace != Tracing::Off {
        trace::begin();
    }
    identity::begin();
    protection::turn_on();
    registers::capture();

    let is_x2apic = apic.mode() == ApicMode::X2Apic;
    let topology = Topology::of(&ThisCpu);
    let mut selection = options.selection.clone();
    if options.hot_plugs() {
        selection = selection.with_room_for_all(cpu_list.processors().len());
    }
    let plan = plan(
        cpu_list.processors(),
        apic.id(),
        is_x2apic,
        |id| topology.place(id),
        &selection,
    )?;
    let in_use = InUse::now();
    let cpus = Cpus::prepare(plan, &options, bsp, apic, clock, timer, waking.mailbox)?;
    if !cpus.machine.wakes_again() {
        one_way::check(&options)?;
    }
    let most_attempts =
        most_attempts::check(options.attempts, cpus.heap_to_spare(), cpus.plan.len())?;
    let model = cpus.machine.model();
    let listener = model.and_then(|model| model.listener(apic.id()));
    let platform = CpuPlatform::new(apic.id(), clock, apic, timer)?;
    let platform: &'static CpuPlatform = Box::leak(Box::new(platform.heard_by(listener)));
    let counters = bsp.counters();
    // A task for each AP, those that CPUs send each other, the one that takes these in, that of hot-plug, and
    // those of a shell. Operations take turns, so that no more than one has its tasks for the APs.
    let capacity = cpus.aps.len() + MAX_TASKS + 2 + shell::TASKS;
    let mut executor = Executor::with_capacity(capacity, platform, CpuMetrics::of(bsp));
    let (timer, spawner) = (executor.timer(), executor.spawner());
    idle::open_for_bsp();
    bsp.inbox().open();
    bsp.calls().open();
    let server = spawner.clone();
    spawner.spawn(async move { bsp.inbox().serve(&server).await })?;
    rendezvous::come_in();
    interrupts::enable();
    let run = Run {
        options,
        most_attempts,
        cpu_list,
        waking,
        srat,
        calibration,
        hpet,
        cpus,
        platform,
        counters,
        timer,
        spawner,
        reset,
        io_apics,
        fixed_hardware,
        boot_timer,
        in_use,
    };
    // The tasks that it spawns have it too.
    let run: &'static Run = Box::leak(Box::new(run));
    executor.block_on(run.until_exit())
}

/// The bytes of the table that lists the CPUs. Without one the run goes on; without the module
/// that was asked for it does not.
fn madt(
    options: &Options,
    tables: &Result<AcpiInfo, AcpiError>,
    boot: &BootInfo,
    physical: &BootMapping,
) -> Result<Result<Vec<u8>, Failure>, Failure> {
    Ok(match (options.madt, tables) {
        (MadtSource::Module, _) => Ok(boot
            .first_module(physical, acpi::LONGEST_TABLE)
            .map_err(|error| format!("madt=module: {error}"))?),
        (MadtSource::Firmware, Ok(tables)) => tables.madt.clone().map_err(Failure::from),
        (MadtSource::Firmware, Err(error)) => Err(error.to_string().into()),
    })
}

/// Where the interrupts of devices are wired to: as the firmware says, whoever lists the CPUs.
///
/// A list in a module is there to be tried out. It may be another machine's or nobody's, and knows nothing of
/// this one's devices: an I/O APIC that it names might be any memory, and would be written to.
fn wiring(options: &Options, cpu_list: &CpuList, tables: Option<&AcpiInfo>) -> Wiring {
    match options.madt {
        MadtSource::Firmware => cpu_list.wiring().cloned().unwrap_or_default(),
        MadtSource::Module => {
            let told = tables.and_then(|tables| tables.madt.as_ref().ok());
            let table = told.and_then(|bytes| Madt::parse(bytes).ok());
            table.map(|table| table.wiring).unwrap_or_default()
        }
    }
}

/// The VMM that the firmware's own list of CPUs names.
fn vmm(tables: &Result<AcpiInfo, AcpiError>) -> Option<Vmm> {
    let bytes = tables.as_ref().ok()?.madt.as_ref().ok()?;
    Vmm::of_oem(&Madt::parse(bytes).ok()?.oem)
}

/// Maps the registers of the HPET, and gives their address. One that cannot be mapped is none: there are
/// other clocks.
fn map_hpet(tables: &AcpiInfo) -> Option<u64> {
    let is_mapped = |&base: &u64| memory::map_device(base, Hpet::SIZE).is_ok();
    tables.hpet.filter(is_mapped)
}

fn calibrate(tables: Option<&AcpiInfo>, hpet: Option<u64>) -> Result<Calibration, Failure> {
    // SAFETY: the registers are where ACPI says, mapped uncached by `map_hpet`.
    let hpet = hpet.and_then(|base| unsafe { Hpet::at(base as usize) });
    let pm_timer = tables
        .and_then(|tables| tables.pm_timer)
        .map(|timer| PmTimer::at(timer.port, timer.is_32_bit));
    let calibration = time::calibrate(&ThisCpu, Devices { hpet, pm_timer });
    Ok(calibration.ok_or("nothing tells how fast the time stamp counter runs")?)
}

/// Maps a page of registers at its own address.
fn map_page(physical: u64) -> Result<usize, MapError> {
    memory::map_device(physical, memory::map::PAGE_SIZE)?;
    Ok(physical as usize)
}

/// How long the BSP sleeps where a test lets it rest first: all CPUs halt meanwhile.
const REST: Duration = Duration::from_millis(1);

/// What a run has come to behind all that the command line asks for.
struct Booted {
    operations: &'static Operations<'static>,
    told: Told,
    verdict: Result<Option<Enough>, Failure>,
}

/// The run once the machine is taken over.
struct Run {
    options: Options,
    most_attempts: u32,
    cpu_list: CpuList,
    waking: Waking<MappedMailbox>,
    srat: Option<Srat>,
    calibration: Calibration,
    /// Where its registers are mapped, which nobody needs once the clock is set.
    hpet: Option<u64>,
    cpus: Cpus,
    platform: &'static CpuPlatform,
    counters: &'static Counters,
    timer: Timer,
    spawner: Spawner,
    /// What ACPI says that resets the machine.
    reset: Option<ResetRegister>,
    io_apics: IoApics,
    fixed_hardware: Result<FixedHardware, NoFixedHardware>,
    /// Firecracker's, where this is one.
    boot_timer: Option<BootTimer>,
    /// Memory before anything was prepared for APs. What is used from then on is theirs, but for a part that is the same
    /// for any number of them: the BSP's executor, the ladder, this run, its benchmark and operations.
    in_use: InUse,
}

impl Run {
    /// Works, concludes, and then exits or idles for good; so there is no success to return.
    async fn until_exit(&'static self) -> Result<Infallible, Failure> {
        let verdict = match self.work().await {
            Ok(booted) if self.options.after == After::Shell => self.shell(booted).await,
            Ok(booted) => booted.verdict,
            // Nothing was brought up, or not all was done that was asked for.
            Err(failure) => Err(failure),
        };
        let code = conclude(verdict, self.options.look);
        match self.options.after {
            After::Exit | After::Shell => exit(code),
            After::Halt => {
                marks::end(code == exit_code::OK);
                pending().await
            }
        }
    }

    /// Lets a person work with the machine, and gives the verdict of the run then.
    async fn shell(&'static self, booted: Booted) -> Result<Option<Enough>, Failure> {
        let Booted {
            operations,
            told,
            verdict,
        } = booted;
        if let Err(failure) = &verdict {
            let look = self.options.look;
            let failed = look.paint(Hue::Bad, "failed");
            say(&format!("boot: {failed}: {failure}"), look);
        }
        let context = Context::new(operations, &self.options, move || self.print(&told));
        let context: &'static Context = Box::leak(Box::new(context));
        let shell = self.spawner.spawn(shell::run(context, &self.io_apics))?;
        match shell.await? {
            Ok(Leave::Exit(None)) => verdict,
            Ok(Leave::Failed(failures)) => verdict.and_then(|_| Err(failures.into())),
            Ok(Leave::Exit(Some(Verdict::Ok))) => Ok(None),
            Ok(Leave::Exit(Some(Verdict::Failed))) => {
                Err("`exit failed` was entered at the console".into())
            }
            Ok(Leave::Reboot) => {
                println!("reveille: reboot");
                reset(self.reset)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn work(&'static self) -> Result<Booted, Failure> {
        if self.options.tests.contains(&TestHook::NoWake) {
            self.cpus.aps.iter().for_each(|ap| ap.slot.mute());
        }
        if self.options.tests.contains(&TestHook::BareMiss) {
            bench::miss_the_last();
        }
        if self.options.tests.contains(&TestHook::RestFirst) {
            self.timer.sleep(REST).await;
        }
        let bench: &'static Bench<'static> = Box::leak(Box::new(Bench {
            cpus: &self.cpus,
            timer: self.timer.clone(),
            spawner: self.spawner.clone(),
            counters: self.counters,
            platform: self.platform,
            timing: self.timing(),
            order: self.options.order,
            clocks: Clocks::new(
                self.options.consistency,
                self.cpus.machine.clock,
                self.cpus.machine.apic,
            ),
            yardstick: bench::Yardstick::default(),
        }));
        if let Some(limit) = self.options.call_limit {
            calls::stuck::set_limit(limit);
        }
        let operations: &'static Operations<'static> =
            Box::leak(Box::new(Operations::new(bench, self.options.selection.smt)));
        operations.check(&self.options.ops)?;
        if let Some(model) = self.cpus.machine.model() {
            model.look_how_late(self.platform);
        }
        let most = self.most_attempts;
        marks::kick(self.cpus.areas().count() as u32);
        let attempts = attempts::bring_up(bench, self.options.bringup, most).await;
        let missing = attempts.last().record.failed;
        marks::brought_up(missing == 0);
        let boot_timer = self.boot_timer.filter(|_| missing == 0).map(|boot_timer| {
            boot_timer.tell();
            self.cpus.machine.clock.now()
        });
        let balance = self.in_use.balance();
        let settled = consistency::settle(&self.options, bench, self.srat.as_ref());
        let settled: &'static Settled = Box::leak(Box::new(settled));
        let called = roll_call(self.cpus.machine.apic, self.cpus.online_aps(), &self.timer).await;
        let hidden = self.hide_devices().await;
        let hotplug = self.start_hotplug(operations, settled).await;
        let mut results = bench::Results::default();
        let (contenders, rounds) = (self.options.contenders, self.options.bench_rounds);
        let never = &Interruption::never();
        let turn = operations.turn().await;
        let benched = match missing {
            0 => bench.run(contenders, rounds, &mut results, never).await,
            _ if !self.is_to_miss_any() => Ok(()),
            _ => {
                let strategies: Vec<_> = contenders.strategies(&bench::ORDER).collect();
                bench
                    .run_strategies(&strategies, rounds, &mut results, never)
                    .await
            }
        };
        // As the bring-up and its rounds left the CPUs.
        let figures = self.cpus.figures();
        drop(turn);
        let probed = vmm_probe::run(operations, self.options.probe).await;
        // Whatever the clock shows: the seed is told, and repeats what is drawn from it.
        let seed = self.cpus.machine.clock.now().as_nanos() as u32;
        let called_each_other = calling::run(operations, &self.options, seed, never).await;
        let stopped = stops::run(operations, &self.options, seed, never).await;
        let operated = operations.run(&self.options, seed, never).await?;
        // Some may have come for the first time.
        let turn = operations.turn().await;
        operations.compare_clocks(&turn).await;
        drop(turn);
        // Once more, because the faults struck in the rounds too.
        let stacks = attempts.stacks.and(self.cpus.faulty.after_attempt(most));

        // Nothing is measured any more; from here on there is time to write.
        if trace::is_wanted() {
            self.timer.sleep(trace::REST).await;
            trace::end();
        }
        let probed_well = probed.verdict();
        let told = self.told(attempts, results, figures, balance);
        self.tell(&told);
        let look = self.options.look;
        match hotplug {
            None => {}
            Some(Ok(hotplug)) => say(&hotplug.to_string(), look),
            Some(Err(unavailable)) => say(&unavailable.to_string(), look),
        }
        settled.write(self.options.report);
        bench.clocks.write();
        probed.write(&told.of_round_0(boot_timer), self.cpus.machine.clock);
        called_each_other.write();
        stopped.write();
        operated.write();
        if self.options.trace != Tracing::Off
            && let Some(told) = trace::tell(bench.ladder(), self.cpus.machine.clock)
        {
            say(&format!("{:10}{told}", ""), look);
        }
        let is_asked_for = |hook| self.options.tests.contains(&hook);
        // These count on the CPUs that are online.
        let turn = operations.turn().await;
        if is_asked_for(TestHook::Tlb) || is_asked_for(TestHook::NoFlush) {
            same_page(bench, is_asked_for(TestHook::NoFlush)).await?;
        }
        for &hook in &self.options.tests {
            hooks::bring_about(hook, &self.cpus, &self.timer).await?;
        }
        drop(turn);
        let verdict = || {
            stacks?;
            let cpus = told.cpus.last().map_or(&[][..], Vec::as_slice);
            let last = told.attempts.last().map(|last| &last.round);
            let strangers = last.map_or(0, |round| report::strangers(cpus, round));
            let gap = self.cpu_list.gap();
            let require = self.options.require;
            let enough = require.judge(cpus, strangers, gap.as_deref())?;
            called?;
            hidden?;
            benched?;
            probed_well?;
            called_each_other.verdict()?;
            stopped.verdict()?;
            operated.verdict()?;
            Ok(enough)
        };
        Ok(Booted {
            verdict: verdict(),
            operations,
            told,
        })
    }

    /// Starts hot-plug, where it is asked for.
    async fn start_hotplug(
        &self,
        operations: &'static Operations<'static>,
        settled: &'static Settled,
    ) -> Option<Result<Hotplug, Unavailable>> {
        if !self.options.hot_plugs() {
            return None;
        }
        let sci = match self.options.tests.contains(&TestHook::HotplugPoll) {
            true => Err(WhyPoll::Asked),
            false => Sci::set_up(&self.fixed_hardware, &self.io_apics, &self.timer)
                .await
                .map_err(WhyPoll::Sci),
        };
        Some(Hotplug::start(operations, settled, sci))
    }

    /// Takes the registers of devices away that were for the boot alone: from here on a stray write to them
    /// faults, on every CPU.
    async fn hide_devices(&self) -> Result<(), ShootDownError> {
        match self.hpet {
            Some(base) => shoot_down::unmap_device(base, Hpet::SIZE, &self.timer).await,
            None => Ok(()),
        }
    }

    /// Whether a fault on demand keeps APs away.
    fn is_to_miss_any(&self) -> bool {
        let mut faults = self.options.faults.iter();
        faults.any(|fault| fault.kind.keeps_away())
    }

    /// The times of a published machine are those of one that runs code as it is.
    fn head_start(&self) -> Duration {
        match (self.options.head_start, self.options.model) {
            (Some(head_start), _) => head_start,
            (None, Some(_)) => Duration::ZERO,
            (None, None) => machine::head_start(&ThisCpu),
        }
    }

    fn timing(&self) -> Timing {
        let default = Timing::default();
        let timing = match self.options.alive_timeout {
            Some(alive_timeout) => default.with_alive_timeout(alive_timeout),
            None => default,
        };
        Timing {
            head_start: self.head_start(),
            init_delay: self
                .options
                .init_delay
                .unwrap_or_else(|| machine::init_delay(&ThisCpu)),
            online_timeout: self
                .options
                .online_timeout
                .unwrap_or(default.online_timeout),
            ..timing
        }
    }
}
