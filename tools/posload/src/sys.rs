//! The five calls of Linux that the standard library does not have, and the clocks.
//!
//! Declared here, so that the crate needs no other crate: Debian 12's cargo would first clone the
//! whole index of its registry. The standard library links the C library anyway.

use std::io;
use std::os::raw::{c_int, c_void};
use std::os::unix::io::RawFd;

pub const IN: u32 = 1;
pub const OUT: u32 = 4;
const CTL_ADD: c_int = 1;
const CTL_DEL: c_int = 2;
const CTL_MOD: c_int = 3;
const CLOCK_MONOTONIC: c_int = 1;
const CLOCK_THREAD_CPU: c_int = 3;
const CLOEXEC: c_int = 0o2000000;
const NONBLOCK: c_int = 0o4000;
const TIMER_ABSOLUTE: c_int = 1;

#[derive(Clone, Copy)]
#[repr(C)]
#[cfg_attr(target_arch = "x86_64", repr(packed))]
pub struct Event {
    pub events: u32,
    pub data: u64,
}

#[repr(C)]
#[derive(Default)]
struct Time {
    seconds: i64,
    nanoseconds: i64,
}

#[repr(C)]
struct TimerTime {
    interval: Time,
    value: Time,
}

extern "C" {
    fn epoll_create1(flags: c_int) -> c_int;
    fn epoll_ctl(epoll: c_int, what: c_int, file: c_int, event: *mut Event) -> c_int;
    fn epoll_wait(epoll: c_int, events: *mut Event, most: c_int, timeout_ms: c_int) -> c_int;
    fn timerfd_create(clock: c_int, flags: c_int) -> c_int;
    fn timerfd_settime(file: c_int, flags: c_int, new: *const TimerTime, old: *mut c_void) -> c_int;
    fn clock_gettime(clock: c_int, out: *mut Time) -> c_int;
    fn read(file: c_int, into: *mut c_void, size: usize) -> isize;
    fn close(file: c_int) -> c_int;
}

fn clock(which: c_int) -> u64 {
    let mut time = Time::default();
    // SAFETY: the struct is the kernel's timespec of 64-bit systems; both clocks always exist.
    unsafe { clock_gettime(which, &mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}

/// Monotonic nanoseconds.
#[inline]
pub fn now_ns() -> u64 {
    clock(CLOCK_MONOTONIC)
}

/// Nanoseconds of processor that this thread has used.
pub fn cpu_ns() -> u64 {
    clock(CLOCK_THREAD_CPU)
}

/// Nanoseconds that this thread was ready to run and had no core; 0 where the kernel does not count.
pub fn core_wait_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn checked(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// An epoll and a timer in it, whose events carry `TIMER`.
pub struct Poll {
    epoll: RawFd,
    timer: RawFd,
}

pub const TIMER: u64 = u64::MAX;

impl Poll {
    pub fn new() -> io::Result<Poll> {
        // SAFETY: plain calls with constant arguments; results are checked.
        let epoll = checked(unsafe { epoll_create1(CLOEXEC) })?;
        let timer = checked(unsafe { timerfd_create(CLOCK_MONOTONIC, CLOEXEC | NONBLOCK) })?;
        let poll = Poll { epoll, timer };
        poll.control(CTL_ADD, timer, IN, TIMER)?;
        Ok(poll)
    }

    fn control(&self, what: c_int, file: RawFd, events: u32, data: u64) -> io::Result<()> {
        let mut event = Event { events, data };
        // SAFETY: the event outlives the call.
        checked(unsafe { epoll_ctl(self.epoll, what, file, &mut event) }).map(drop)
    }

    pub fn add(&self, file: RawFd, data: u64) -> io::Result<()> {
        self.control(CTL_ADD, file, IN, data)
    }

    pub fn change(&self, file: RawFd, events: u32, data: u64) -> io::Result<()> {
        self.control(CTL_MOD, file, events, data)
    }

    pub fn remove(&self, file: RawFd) -> io::Result<()> {
        self.control(CTL_DEL, file, 0, 0)
    }

    /// The timer rings once at that moment of the monotonic clock; 0: never.
    pub fn ring_at(&self, at_ns: u64) {
        let time = |ns: u64| Time {
            seconds: (ns / 1_000_000_000) as i64,
            nanoseconds: (ns % 1_000_000_000) as i64,
        };
        let new = TimerTime { interval: time(0), value: time(at_ns) };
        // SAFETY: the struct is the kernel's itimerspec and outlives the call.
        unsafe { timerfd_settime(self.timer, TIMER_ABSOLUTE, &new, std::ptr::null_mut()) };
    }

    /// Takes the ring, so that the timer is quiet again.
    pub fn hush(&self) {
        let mut count = 0u64;
        // SAFETY: eight bytes, as a timer gives.
        unsafe { read(self.timer, &mut count as *mut u64 as *mut c_void, 8) };
    }

    pub fn wait<'a>(&self, events: &'a mut [Event], timeout_ms: c_int) -> &'a [Event] {
        // SAFETY: the kernel writes at most as many as there are.
        let count =
            unsafe { epoll_wait(self.epoll, events.as_mut_ptr(), events.len() as c_int, timeout_ms) };
        &events[..count.max(0) as usize] // interrupted: nothing came
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        // SAFETY: both are ours and open.
        unsafe {
            close(self.timer);
            close(self.epoll);
        }
    }
}
