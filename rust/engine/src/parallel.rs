//! Independent units on a few threads: the same results in the same order, whatever the number of threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

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
/// second, or check the flag inside. The error is that of the first unit that fails.
pub fn map_units<T, F>(threads: usize, units: usize, interrupt: &Interrupt, work: F) -> Result<Vec<T>>
where
    T: Send,
    F: Fn(usize) -> Result<T> + Sync,
{
    let checked = |unit| interrupt.check().and_then(|()| work(unit));
    if threads == 1 || units <= 1 {
        return (0..units).map(checked).collect();
    }
    let mut places: Vec<Option<T>> = Vec::new();
    places.resize_with(units, || None);
    let some = units.div_ceil(PARTS).max(1);
    share(threads, places.chunks_mut(some).enumerate(), |(part, places)| {
        places.iter_mut().enumerate().try_for_each(|(i, place)| {
            *place = Some(checked(part * some + i)?);
            Ok(())
        })
    })?;
    Ok(places.into_iter().flatten().collect())
}

/// `work(0, first), work(1, second), ...` on the parts of `out`, of `unit` numbers each but for the last.
///
/// The flag is looked at as in [`map_units`].
pub fn fill_units<F>(threads: usize, out: &mut [f64], unit: usize, interrupt: &Interrupt, work: F) -> Result<()>
where
    F: Fn(usize, &mut [f64]) -> Result<()> + Sync,
{
    let checked = |(place, part): (usize, &mut [f64])| interrupt.check().and_then(|()| work(place, part));
    let mut parts = out.chunks_mut(unit).enumerate();
    if threads == 1 || parts.len() <= 1 {
        return parts.try_for_each(checked);
    }
    share(threads, parts, checked)
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
    let mut parts = out.chunks_mut(unit).zip(other.chunks_mut(other_unit)).enumerate();
    if threads == 1 || parts.len() <= 1 {
        return parts.try_for_each(checked);
    }
    share(threads, parts, checked)
}

/// As many parts are small enough for threads to end together, and few enough for handing them out to cost nothing.
const PARTS: usize = 256;

/// Works on `parts`, which threads take in turn; an error is that of the first part that fails.
///
/// The calling thread takes parts too. Were it only to wait, two others would have to wake before work is shared, which
/// takes as long as to fit hundreds of agents. Where another call keeps the others busy, it takes all of them.
fn share<I>(threads: usize, parts: I, work: impl Fn(I::Item) -> Result<()> + Sync) -> Result<()>
where
    I: Iterator + Send,
{
    let threads = if threads == 0 {
        available_parallelism().map_or(1, usize::from)
    } else {
        threads
    };
    let left = Mutex::new((parts.enumerate(), usize::MAX, Ok(())));
    let lock = || left.lock().unwrap_or_else(PoisonError::into_inner);
    let take = || {
        loop {
            let Some((place, part)) = lock().0.next() else {
                return;
            };
            if let Err(error) = work(part) {
                let mut left = lock();
                left.0.by_ref().for_each(drop);
                if place < left.1 {
                    (left.1, left.2) = (place, Err(error));
                }
            }
        }
    };
    let others = match threads - 1 {
        0 => None,
        others => Some(pool(others)?),
    };
    match others.as_deref().and_then(Others::claim) {
        None => take(),
        Some(others) => others.threads.in_place_scope(|scope| {
            (0..others.threads.current_num_threads()).for_each(|_| scope.spawn(|_| take()));
            take();
        }),
    }
    left.into_inner().unwrap_or_else(PoisonError::into_inner).2
}

/// Nanoseconds of work that waking other threads would not shorten.
///
/// Measured on two cores: fits of 50 to 100 microseconds took 2 to 13 longer on two threads than on one; those of 200 took
/// nine tenths of the time, those of 320 little more than half.
pub(crate) const LITTLE: f64 = 2e5;

/// The threads that work of so many nanoseconds is worth.
pub fn worth(threads: usize, nanoseconds: f64) -> usize {
    if nanoseconds < LITTLE { 1 } else { threads }
}

/// Threads that help the calling one.
struct Others {
    threads: ThreadPool,
    busy: AtomicBool,
}

impl Others {
    /// The threads, if they help no other call: what is given them then waits for that call's end.
    fn claim(&self) -> Option<Claim<'_>> {
        (!self.busy.swap(true, Ordering::Acquire)).then_some(Claim(self))
    }
}

/// Threads for one call.
struct Claim<'a>(&'a Others);

impl std::ops::Deref for Claim<'_> {
    type Target = Others;
    fn deref(&self) -> &Others {
        self.0
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
    }
}

/// So many threads, which are kept: to start them takes as long as to fit fifty agents.
fn pool(threads: usize) -> Result<Arc<Others>> {
    /// Pools by their number of threads and the process that they live in: a fork copies a pool, but none of its threads.
    static POOLS: Mutex<Vec<(usize, u32, Arc<Others>)>> = Mutex::new(Vec::new());
    let this = std::process::id();
    // Where another thread held the lock during a fork, the copy is never released: then the pool is not kept.
    let mut pools = POOLS.try_lock().ok();
    let kept = pools.as_ref().and_then(|pools| {
        let found = pools.iter().find(|(size, owner, _)| (*size, *owner) == (threads, this));
        found.map(|(_, _, pool)| Arc::clone(pool))
    });
    if let Some(pool) = kept {
        return Ok(pool);
    }
    let started = ThreadPoolBuilder::new().num_threads(threads).build();
    let failed = |e| Error::input("threads", "a number of threads that the system can start", e);
    let pool = Arc::new(Others {
        threads: started.map_err(failed)?,
        busy: AtomicBool::new(false),
    });
    if let Some(pools) = &mut pools {
        pools.push((threads, this, Arc::clone(&pool)));
    }
    Ok(pool)
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
    fn a_call_does_not_wait_for_threads_that_help_another() {
        let flag = Interrupt::new();
        let inner = |i: usize| map_units(3, 100, &flag, move |j| Ok(i + j));
        let all = map_units(3, 5, &flag, inner).expect("no error");
        assert_eq!(all[4], (4..104).collect::<Vec<usize>>());
        let busy = pool(2).expect("threads");
        let claimed = busy.claim().expect("threads at rest");
        assert!(busy.claim().is_none());
        assert_eq!(map_units(3, 2, &flag, Ok), Ok(vec![0, 1]));
        drop(claimed);
        assert!(busy.claim().is_some());
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

    #[test]
    fn the_error_is_that_of_the_first_unit_that_fails() {
        let failing = |i: usize| match i {
            40.. => Err(Error::input("unit", "below 40", i)),
            _ => Ok(i),
        };
        let one = map_units(1, 1000, &Interrupt::new(), failing);
        for _ in 0..100 {
            assert_eq!(one, map_units(3, 1000, &Interrupt::new(), failing));
        }
    }
}
