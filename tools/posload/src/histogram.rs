//! Counts of nanoseconds in log-linear buckets: 128 to a power of two, so within 0.8 % of the truth.
//! Nothing is ever thrown away; the largest value is kept as it was.

const SUB_BITS: u32 = 7;
const SUB: usize = 1 << SUB_BITS;
const SIZE: usize = (64 - SUB_BITS as usize + 1) * SUB;

#[derive(Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    pub count: u64,
    pub max: u64,
    sum: u128,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { counts: vec![0; SIZE], count: 0, max: 0, sum: 0 }
    }
}

fn place(value: u64) -> usize {
    let high = 63 - (value | 1).leading_zeros();
    if high < SUB_BITS {
        return value as usize;
    }
    let shift = high - SUB_BITS;
    (shift as usize + 1) * SUB + (value >> shift) as usize - SUB
}

/// The largest value that goes to a place.
fn top(place: usize) -> u64 {
    if place < SUB {
        return place as u64;
    }
    let shift = place / SUB - 1;
    let low = ((place % SUB + SUB) as u64) << shift;
    low + ((1u64 << shift) - 1)
}

impl Histogram {
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.counts[place(value)] += 1;
        self.count += 1;
        self.sum += u128::from(value);
        if value > self.max {
            self.max = value;
        }
    }

    /// The value that so large a share (0 to 1) of all is at or below; 0 of nothing.
    pub fn at(&self, share: f64) -> u64 {
        if self.count == 0 {
            return 0;
        }
        let wanted = ((share * self.count as f64).ceil() as u64).clamp(1, self.count);
        let mut seen = 0;
        for (place, &count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return top(place).min(self.max);
            }
        }
        self.max
    }

    pub fn mean(&self) -> u64 {
        if self.count == 0 { 0 } else { (self.sum / u128::from(self.count)) as u64 }
    }

    pub fn merge(&mut self, other: &Histogram) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.max = self.max.max(other.max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    #[test]
    fn every_value_is_in_its_bucket() {
        for value in (0..10_000).chain((4..64).flat_map(|bit| {
            let power = 1u64 << bit;
            [power - 1, power, power + power / 3]
        })).chain([u64::MAX]) {
            let at = place(value);
            assert!(at < SIZE && top(at) >= value, "{value}");
            assert!(top(at) - value <= value / 128, "{value}");
            assert!(at == 0 || top(at - 1) < value, "{value}");
        }
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_list() {
        let mut dice = Dice::new(1);
        let mut all: Vec<u64> = (0..5_000).map(|_| dice.next() >> (20 + dice.below(40))).collect();
        let (mut one, mut two) = (Histogram::default(), Histogram::default());
        for (i, &value) in all.iter().enumerate() {
            if i % 2 == 0 { one.add(value) } else { two.add(value) }
        }
        one.merge(&two);
        all.sort_unstable();
        for share in [0.0, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let index = ((share * all.len() as f64).ceil() as usize).max(1) - 1;
            let told = one.at(share);
            assert!(told >= all[index] && told - all[index] <= all[index] / 100, "{share}");
        }
        assert_eq!(one.at(1.0), *all.last().unwrap());
    }
}
