//! A plan carried out: threads, their common start, one report.

use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{json, Balance};
use crate::slow;
use crate::stats::{Planted, Stats};
use crate::sys::now_ns;
use crate::worker::{Worker, STOP};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Barrier;

pub fn run(text: &str) -> Result<String, String> {
    let plan = Plan::of(text)?;
    let began = now_ns();
    STOP.store(false, Ordering::Relaxed);
    let address = (plan.host.as_str(), plan.port)
        .to_socket_addrs()
        .ok()
        .and_then(|mut all| all.next())
        .ok_or_else(|| format!("no address of {}:{}", plan.host, plan.port))?;
    let progress = Progress::new(plan.is_quiet);
    let mut workers = Vec::new();
    for index in 0..plan.threads {
        let worker = Worker::new(&plan, index, address, &progress)
            .map_err(|error| format!("{}:{}: {error}", plan.host, plan.port))?;
        workers.push(worker);
    }
    let (mut stats, balances) = work(&plan, workers, &address)?;
    stats.examples.sort();
    Ok(json(&plan, &stats, &balances, now_ns() - began))
}

type Done = (Stats, Vec<Balance>);

fn work(plan: &Plan, workers: Vec<Worker>, address: &SocketAddr) -> Result<Done, String> {
    let barrier = Barrier::new(workers.len());
    let start = AtomicU64::new(0);
    let (done, slow) = std::thread::scope(|scope| {
        let running: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                let (barrier, start) = (&barrier, &start);
                scope.spawn(move || one(worker, barrier, start))
            })
            .collect();
        let slow: Vec<_> = (0..plan.slow_readers)
            .map(|number| scope.spawn(move || slow::run(plan, address, number)))
            .collect();
        let done: Result<Vec<Done>, _> = running.into_iter().map(|thread| thread.join()).collect();
        let slow: Vec<Planted> = slow.into_iter().filter_map(|thread| thread.join().ok()).collect();
        (done, slow)
    });
    let mut all = done.map_err(|_| "a thread of load ended in a panic".to_string())?.into_iter();
    let (mut stats, mut balances) = all.next().ok_or("no thread")?;
    for (more, others) in all {
        stats.merge(more);
        balances.extend(others);
    }
    for planted in slow {
        stats.slow.planted += planted.planted;
        stats.slow.as_expected += planted.as_expected;
        if planted.otherwise > 0 {
            stats.slow.otherwise += planted.otherwise;
            stats.error("slow-reader", || format!("{} echoes not answered rightly", planted.otherwise));
        }
    }
    balances.sort_by_key(|balance| balance.tid);
    Ok((stats, balances))
}

fn one(mut worker: Worker, barrier: &Barrier, start: &AtomicU64) -> Done {
    worker.open();
    barrier.wait();
    // The one that comes first sets the common start.
    let _ = start.compare_exchange(0, now_ns(), Ordering::SeqCst, Ordering::SeqCst);
    worker.trade(start.load(Ordering::SeqCst));
    barrier.wait();
    worker.close();
    let balances = worker
        .terminals
        .iter()
        .map(|terminal| Balance {
            tid: terminal.tid,
            mid: terminal.mid,
            totals: terminal.sum(),
            approved: terminal.approved,
        })
        .collect();
    (worker.stats, balances)
}
