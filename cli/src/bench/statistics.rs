//! Percentiles of what was measured. Nothing is interpolated: each is a time that was measured.

/// Measured times in short, in nanoseconds; all are 0 where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many there were.
    pub(crate) count: usize,
    /// Half of them took no longer.
    pub(crate) p50_ns: u64,
    /// 99 of 100 took no longer.
    pub(crate) p99_ns: u64,
    pub(crate) max_ns: u64,
}

impl Summary {
    /// Sums up times in any order.
    pub(crate) fn of(mut times_ns: Vec<u64>) -> Self {
        times_ns.sort_unstable();
        Self {
            count: times_ns.len(),
            p50_ns: percentile(&times_ns, 50),
            p99_ns: percentile(&times_ns, 99),
            max_ns: percentile(&times_ns, 100),
        }
    }
}

/// The smallest of sorted numbers that at least `percent` of 100 of them do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// How many a second that is, rounded.
pub(crate) fn rate(count: u64, nanoseconds: u128) -> u64 {
    let each_second = u128::from(count).saturating_mul(1_000_000_000);
    let rounded = each_second.saturating_add(nanoseconds / 2).checked_div(nanoseconds);
    u64::try_from(rounded.unwrap_or_default()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let summary = |times: Vec<u64>| {
            let Summary { count, p50_ns, p99_ns, max_ns } = Summary::of(times);
            (count, p50_ns, p99_ns, max_ns)
        };
        assert_eq!(summary(Vec::new()), (0, 0, 0, 0));
        assert_eq!(summary(vec![7]), (1, 7, 7, 7));
        assert_eq!(summary(vec![9, 1]), (2, 1, 9, 9));
        assert_eq!(summary((1..=100).rev().collect()), (100, 50, 99, 100));
        assert_eq!(summary((1..=1000).collect()), (1000, 500, 990, 1000));
        assert_eq!(summary(vec![1, 1, 1, u64::MAX]), (4, 1, u64::MAX, u64::MAX));
    }

    #[test]
    fn rates_are_rounded_and_never_divide_by_nothing() {
        assert_eq!(rate(3, 2_000_000_000), 2);
        assert_eq!(rate(1, 3_000_000_000), 0);
        assert_eq!(rate(10, 0), 0);
        assert_eq!(rate(u64::MAX, 1), u64::MAX);
    }
}
