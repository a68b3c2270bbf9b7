//! When requests are due. Closed loop: when there is room. Open loop: at times that do not ask the
//! server, in nanoseconds from the start.

use crate::dice::Dice;

pub enum Arrivals {
    Closed,
    Constant { gap_ns: f64, index: u64 },
    Poisson { gap_ns: f64, at_ns: f64, dice: Dice },
    Recorded { times: Vec<u64>, index: usize },
}

impl Arrivals {
    pub fn constant(rate: f64) -> Arrivals {
        Arrivals::Constant { gap_ns: 1e9 / rate, index: 0 }
    }

    pub fn poisson(rate: f64, seed: u64) -> Arrivals {
        let mut dice = Dice::new(seed);
        let gap_ns = 1e9 / rate;
        let at_ns = -dice.unit().ln() * gap_ns;
        Arrivals::Poisson { gap_ns, at_ns, dice }
    }

    /// Times out of a text, one a line, ascending; every `of`-th from `first`.
    pub fn recorded(text: &str, first: usize, of: usize) -> Result<Arrivals, String> {
        let mut times = Vec::new();
        for (index, line) in text.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate() {
            let time: u64 = line.parse().map_err(|_| format!("due time {}: {line:?}", index + 1))?;
            if index % of == first {
                times.push(time);
            }
        }
        if times.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err("due times must ascend".into());
        }
        Ok(Arrivals::Recorded { times, index: 0 })
    }

    pub fn is_open(&self) -> bool {
        !matches!(self, Arrivals::Closed)
    }

    /// When the next one is due; `None` in a closed loop and at the end of a record.
    pub fn next_ns(&self) -> Option<u64> {
        match self {
            Arrivals::Closed => None,
            Arrivals::Constant { gap_ns, index } => Some((*gap_ns * *index as f64) as u64),
            Arrivals::Poisson { at_ns, .. } => Some(*at_ns as u64),
            Arrivals::Recorded { times, index } => times.get(*index).copied(),
        }
    }

    pub fn advance(&mut self) {
        match self {
            Arrivals::Closed => {}
            Arrivals::Constant { index, .. } => *index += 1,
            Arrivals::Poisson { gap_ns, at_ns, dice } => *at_ns -= dice.unit().ln() * *gap_ns,
            Arrivals::Recorded { index, .. } => *index += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(mut arrivals: Arrivals, count: usize) -> Vec<u64> {
        (0..count)
            .map_while(|_| {
                let at = arrivals.next_ns();
                arrivals.advance();
                at
            })
            .collect()
    }

    #[test]
    fn constant_arrivals_do_not_drift() {
        let all = times(Arrivals::constant(3.0), 3_000_001);
        assert_eq!(all[..2], [0, 333_333_333]);
        assert_eq!(all[3_000_000], 1_000_000_000_000_000);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        let all = times(Arrivals::poisson(1_000.0, 5), 200_000);
        let gaps: Vec<f64> = all.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let over = gaps.iter().filter(|&&gap| gap > 1e6).count() as f64 / gaps.len() as f64;
        assert!((mean / 1e6 - 1.0).abs() < 0.02, "{mean}");
        assert!((over - (-1f64).exp()).abs() < 0.01, "{over}");
    }

    #[test]
    fn a_record_is_played_as_it_is() {
        assert_eq!(times(Arrivals::recorded("5\n7\n\n9\n", 0, 1).unwrap(), 9), [5, 7, 9]);
        assert_eq!(times(Arrivals::recorded("5\n7\n9\n", 1, 2).unwrap(), 9), [7]);
        assert!(Arrivals::recorded("5\nsoon\n", 0, 1).is_err());
        assert!(Arrivals::recorded("5\n4\n", 0, 1).is_err());
    }
}
