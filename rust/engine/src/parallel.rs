//! Independent units on a few threads: the same results in the same order, whatever the number of threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// A flag that another thread raises to stop a long call; work in progress returns [`Error::Interrupted`].
#[derive(Debug, Default)]
pub struct Interrupt(AtomicBool);

impl Interrupt {
    /// A flag that is down.
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Raises the flag.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// An error once the flag is up.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }
}

/// `work(0), ..., work(units - 1)` in order, computed on `threads` threads (0: one per core).
///
/// The flag is looked at before each unit, so a unit is what an interrupt waits for: keep units below a tenth of a
/// second, or check the flag inside.
pub fn map_units<T, F>(threads: usize, units: usize, interrupt: &Interrupt, work: F) -> Result<Vec<T>>
where
    T: Send,
    F: Fn(usize) -> Result<T> + Sync,
{
    let checked = |unit| interrupt.check().and_then(|()| work(unit));
    if threads == 1 || units <= 1 {
        return (0..units).map(checked).collect();
    }
    on_pool(threads, || (0..units).into_par_iter().map(checked).collect())
}

/// `work(0, first), work(1, second), ...` on the parts of `out`, of `unit` numbers each but for the last.
///
/// The flag is looked at as in [`map_units`].
pub fn fill_units<F>(threads: usize, out: &mut [f64], unit: usize, interrupt: &Interrupt, work: F) -> Result<()>
where
    F: Fn(usize, &mut [f64]) -> Result<()> + Sync,
{
    let checked = |(place, part): (usize, &mut [f64])| interrupt.check().and_then(|()| work(place, part));
    if threads == 1 || out.len() <= unit {
        return out.chunks_mut(unit).enumerate().try_for_each(checked);
    }
    on_pool(threads, || out.par_chunks_mut(unit).enumerate().try_for_each(checked))
}

/// [`fill_units`] of two outputs, whose parts of the same place are filled together.
pub fn fill_both<T, U, F>(
    threads: usize,
    (out, other): (&mut [T], &mut [U]),
    (unit, other_unit): (usize, usize),
    interrupt: &Interrupt,
    work: F,
) -> Result<()>
where
    T: Send,
    U: Send,
    F: Fn(usize, (&mut [T], &mut [U])) -> Result<()> + Sync,
{
    let checked = |(place, parts): (usize, (&mut [T], &mut [U]))| interrupt.check().and_then(|()| work(place, parts));
    if threads == 1 || out.len() <= unit {
        let parts = out.chunks_mut(unit).zip(other.chunks_mut(other_unit));
        return parts.enumerate().try_for_each(checked);
    }
    on_pool(threads, || {
        let parts = out.par_chunks_mut(unit).zip(other.par_chunks_mut(other_unit));
        parts.enumerate().try_for_each(checked)
    })
}

/// Nanoseconds of work that waking other threads would not shorten.
pub(crate) const LITTLE: f64 = 3e5;

/// The threads that work of so many nanoseconds is worth.
pub fn worth(threads: usize, nanoseconds: f64) -> usize {
    if nanoseconds < LITTLE { 1 } else { threads }
}

/// Runs `work` on a pool of so many threads, which is kept: to start threads takes as long as to fit fifty agents.
fn on_pool<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    /// Pools by their number of threads and the process that they live in: a fork copies a pool, but none of its threads.
    static POOLS: Mutex<Vec<(usize, u32, Arc<ThreadPool>)>> = Mutex::new(Vec::new());
    let this = std::process::id();
    // Where another thread held the lock during a fork, the copy is never released: then the pool is not kept.
    let mut pools = POOLS.try_lock().ok();
    let kept = pools.as_ref().and_then(|pools| {
        let found = pools.iter().find(|(size, owner, _)| (*size, *owner) == (threads, this));
        found.map(|(_, _, pool)| Arc::clone(pool))
    });
    let pool = match kept {
        Some(pool) => pool,
        None => {
            let started = ThreadPoolBuilder::new().num_threads(threads).build();
            let failed = |e| Error::input("threads", "a number of threads that the system can start", e);
            let pool = Arc::new(started.map_err(failed)?);
            if let Some(pools) = &mut pools {
                pools.push((threads, this, Arc::clone(&pool)));
            }
            pool
        }
    };
    drop(pools);
    pool.install(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_results_do_not_depend_on_threads() {
        let flag = Interrupt::new();
        let one = map_units(1, 1000, &flag, |i| Ok(i * i)).expect("no error");
        for threads in [0, 2, 7] {
            assert_eq!(one, map_units(threads, 1000, &flag, |i| Ok(i * i)).expect("no error"));
        }
    }

    #[test]
    fn a_raised_flag_stops_the_work() {
        let flag = Interrupt::new();
        let result = map_units(2, 1000, &flag, |i| {
            if i == 3 {
                flag.raise();
            }
            Ok(i)
        });
        assert_eq!(result, Err(Error::Interrupted));
    }
}
