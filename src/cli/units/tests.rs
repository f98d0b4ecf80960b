use super::*;

#[test]
fn sizes_and_times_are_read() {
    for (text, seconds) in [("0", 0), ("45s", 45), ("10m", 600), ("12 h", 43_200), ("30d", 2_592_000), ("2w", 1_209_600)] {
        assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
    }
    assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
    for (text, bytes) in [("0", 0), ("17", 17), ("5b", 5), ("3k", 3072), ("500M", 524_288_000), ("2GB", 2_000_000_000), ("1TiB", 1 << 40)] {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    assert_eq!(duration(" 1h 30m "), Ok(Duration::from_secs(5400)));
    for bad in ["", "30", "x", "-1", "5ß", "h", "1h30", "99999999999999999999s", "9999999999999999w"] {
        assert!(duration(bad).is_err(), "{bad}");
    }
    assert_eq!(duration("9999999999999999w").unwrap_err(), "it is too long");
    for bad in ["", "M", "-1", "1.5G", "1P", "1KX", "99999999999T", "1bb", "5µ", "5kµ", "5 ß", "µ", "1k1"] {
        assert!(size(bad).is_err(), "{bad}");
    }
}

#[test]
fn rates_and_times_have_sensible_figures() {
    for (number, text) in [
        (0.0, "0"),
        (0.004, "0"),
        (0.25, "0.25"),
        (2.0, "2"),
        (9.999, "10"),
        (12.54, "12.5"),
        (340.4, "340"),
        (999.4, "999"),
        (999.9, "1k"),
        (1_234_567.0, "1.23M"),
        (45_600.0, "45.6k"),
        (2.5e9, "2.5G"),
        (7e13, "70T"),
        (1e18, "1000000T"),
    ] {
        assert_eq!(figures(number), text, "{number}");
    }
    for (seconds, text) in
        [(0.4, "0s"), (59.4, "59s"), (59.6, "1m00s"), (75.0, "1m15s"), (3600.0, "1h00m"), (7530.0, "2h05m"), (273_600.0, "3d04h")]
    {
        assert_eq!(clock(seconds), text, "{seconds}");
    }
}

#[test]
fn bytes_are_shown_in_the_unit_that_fits() {
    let shown: Vec<String> = [0, 1023, 1536, 5 << 20, 3 << 30, 2 << 40].into_iter().map(bytes_text).collect();
    assert_eq!(shown, ["0 bytes", "1023 bytes", "1.5 KiB", "5.0 MiB", "3.0 GiB", "2.0 TiB"]);
}
