//! Child processes: started, measured from `/proc`, stopped.

use crate::Result;
use crate::clock;
use crate::schedule::Micros;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A child process that ends when this is dropped.
pub struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts `command`; what it says on standard error goes to `log`.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stderr(File::create(log)?)
            .spawn()
            .map_err(|error| format!("{name} does not start: {error}"))?;
        Ok(Self { name: name.into(), child })
    }

    /// Waits until something listens on `port`.
    ///
    /// # Errors
    ///
    /// When the process ends, or nothing listens for twenty seconds.
    pub fn wait_for_port(&mut self, port: u16) -> Result<()> {
        let deadline = clock::now() + 20_000_000;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            self.check()?;
            if clock::now() > deadline {
                return Err(format!("{} does not listen on port {port}", self.name).into());
            }
            clock::sleep_until(clock::now() + 20_000);
        }
        Ok(())
    }

    /// Fails when the process has ended.
    ///
    /// # Errors
    ///
    /// With how it ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => Err(format!("{} ended with {status}", self.name).into()),
            None => Ok(()),
        }
    }

    /// The CPU time that the process has used, with all its children, those that ended too.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn cpu(&self) -> Result<Micros> {
        cpu(self.child.id())
    }

    /// The most memory that the process ever had, in KiB.
    ///
    /// # Errors
    ///
    /// When the process has ended.
    pub fn peak_memory(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib.ok_or_else(|| format!("{} has no VmHWM", self.name).into())
    }

    /// The first line that the process writes to a piped standard output.
    ///
    /// # Errors
    ///
    /// When it ends without one.
    pub fn first_line(&mut self) -> Result<String> {
        let mut output = self.child.stdout.take().ok_or("standard output is not piped")?;
        let mut line = String::new();
        let mut byte = [0];
        while output.read(&mut byte)? == 1 && byte != *b"\n" {
            line.push(byte[0].into());
        }
        if line.is_empty() { Err(format!("{} said nothing", self.name).into()) } else { Ok(line) }
    }
}

impl Drop for Process {
    /// Asks the process to end, so that it takes its children along, and insists after ten seconds.
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let deadline = clock::now() + 10_000_000;
        while let Ok(None) = self.child.try_wait() {
            if clock::now() > deadline {
                eprintln!("bench: {} does not end, it is killed", self.name);
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            clock::sleep_until(clock::now() + 20_000);
        }
    }
}

/// The CPU time of this process itself and its threads.
///
/// # Errors
///
/// When `/proc` is not there.
pub fn own_cpu() -> Result<Micros> {
    let times = times(std::process::id())?;
    Ok(ticks(times[0] + times[1]))
}

/// The CPU time of the children of this process that have ended.
///
/// # Errors
///
/// When `/proc` is not there.
pub fn waited_cpu() -> Result<Micros> {
    let times = times(std::process::id())?;
    Ok(ticks(times[2] + times[3]))
}

/// The CPU time that all processes of the machine have used since it started, and the time that it
/// waited for its host.
///
/// # Errors
///
/// When `/proc` is not there.
pub fn machine_cpu() -> Result<Micros> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu "));
    let values: Vec<u64> =
        line.ok_or("/proc/stat is strange")?.split_whitespace().flat_map(str::parse).collect();
    // user nice system (idle iowait) irq softirq steal
    Ok(ticks([0, 1, 2, 5, 6, 7].iter().filter_map(|&k| values.get(k)).sum()))
}

/// A port of 127.0.0.1 that is free.
///
/// # Errors
///
/// When there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn cpu(pid: u32) -> Result<Micros> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let own = ticks(times(pid)?.iter().sum());
    let living = children.split_whitespace().flat_map(str::parse);
    // A child that ends in between has just been counted, or will be.
    Ok(living.filter_map(|child| cpu(child).ok()).sum::<Micros>() + own)
}

/// utime, stime, cutime and cstime of proc_pid_stat(5).
fn times(pid: u32) -> Result<[u64; 4]> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("/proc/pid/stat is strange")?;
    let mut fields = after_name.split_whitespace().skip(11).flat_map(str::parse);
    Ok(std::array::from_fn(|_| fields.next().unwrap_or(0)))
}

fn ticks(count: u64) -> Micros {
    count * 1_000_000 / rustix::param::clock_ticks_per_second()
}
