use super::*;

/// The state 1, 2, 3, 4 and the seed 1234567 have well-known first outputs.
#[test]
fn the_published_generators() {
    let mut random = Xoshiro([1, 2, 3, 4]);
    assert_eq!([(); 4].map(|()| random.next_u64()), [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    assert_eq!(Xoshiro::new(1_234_567).0[..2], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    // The first outputs of SplitMix64 from state 0.
    let mut words = SplitMix::new(0);
    assert_eq!([(); 2].map(|()| words.next_u64()), [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
    assert_eq!(mix([0]), 0xE220_A839_7B1D_CDAF);
}

#[test]
fn what_keys_rest_on_stays_as_it_is() {
    assert_eq!(mix([1, 2, 3]), mix_in(mix([1, 2]), 3));
    let mut mixed = Mixed::new(7);
    let first = [(); 3].map(|()| mixed.below(1000));
    let expected = [1u64, 2, 3].map(|step| ((u128::from(mix([7, step])) * 1000) >> 64) as u64);
    assert_eq!(first, expected);
    assert_eq!(Mixed::new(7).below(0), 0);
}

#[test]
fn happens_follows_the_probability() {
    let count = |p: f64| (0..10_000).filter(|&i| happens(mix([5, i]), p)).count();
    assert_eq!((count(0.0), count(1.0)), (0, 10_000));
    assert!((2_300..2_700).contains(&count(0.25)));
}
