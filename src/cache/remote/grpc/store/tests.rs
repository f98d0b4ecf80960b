use super::super::messages::{ActionCacheUpdateCapabilities, CacheCapabilities, ExecutionCapabilities};
use super::*;

#[test]
fn capabilities_are_believed_as_far_as_servers_keep_them() {
    let answer = |digest_functions: &[i32], most: i64, update: Option<bool>| ServerCapabilities {
        cache: Some(CacheCapabilities {
            digest_functions: digest_functions.to_vec(),
            action_cache_update: update.map(|update_enabled| ActionCacheUpdateCapabilities { update_enabled }),
            max_batch_total_size_bytes: most,
        }),
        execution: None,
    };
    for (most, used) in [(0, BATCH), (-1, BATCH), (i64::MAX, BATCH), (1 << 20, 1 << 20)] {
        assert_eq!(able(&answer(&[1], most, None)).unwrap().batch, used);
    }
    assert!(able(&answer(&[9], 0, None)).unwrap_err().contains("SHA-256"));
    assert!(able(&answer(&[9, 1], 0, None)).is_ok() && able(&answer(&[], 0, None)).is_ok());
    assert!(!able(&answer(&[1], 0, None)).unwrap().updates && !able(&answer(&[1], 0, Some(false))).unwrap().updates);
    assert!(able(&answer(&[1], 0, Some(true))).unwrap().updates && able(&ServerCapabilities::default()).unwrap().updates);
    let executes = |digest_function, digest_functions: &[i32], exec_enabled| {
        let execution = ExecutionCapabilities { digest_function, exec_enabled, digest_functions: digest_functions.to_vec() };
        able(&ServerCapabilities { cache: None, execution: Some(execution) }).unwrap().executes
    };
    assert!(executes(1, &[], true) && executes(0, &[], true) && executes(9, &[9, 1], true));
    assert!(!executes(9, &[], true) && !executes(1, &[9], true) && !executes(1, &[1], false));
}

#[test]
fn words_are_of_version_4_and_differ() {
    let (a, b) = (uuid(), uuid());
    assert_ne!(a, b);
    assert!(a.len() == 36 && a.as_bytes()[14] == b'4' && matches!(a.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{a}");
}
