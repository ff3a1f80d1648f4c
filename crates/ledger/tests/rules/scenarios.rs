//! The rules as tables: each line is a command and what comes of it. [`crate::script`] says how to read them.

use crate::script::check;

#[test]
fn money_comes_in_and_is_spent_down_to_the_limit() {
    check(
        "
        open VND limit 50  -> posted 0 held 0 available 50 limit 50 status active number 1
        topup 100          -> posted 100 available 150 number 2
        charge 200         -> refused insufficient_credit available 150 amount 200
        charge 150.01      -> refused insufficient_credit available 150 amount 150.01
        charge 149.99      -> posted -49.99 available 0.01 number 3
        charge 0.01        -> posted -50 available 0 number 4
        charge 0.01        -> refused insufficient_credit available 0 amount 0.01
        topup 0.01         -> posted -49.99 available 0.01
        adjust 49.99       -> posted 0 available 50
        adjust -70         -> posted -70 available -20 number 7
        charge 0.01        -> refused insufficient_credit available -20 amount 0.01
        topup 20           -> posted -50 available 0
        ",
    );
}

#[test]
fn nothing_happens_to_an_account_before_its_opening_and_it_opens_once() {
    check(
        "
        topup 1                 -> refused unknown_account
        charge 1                -> refused unknown_account
        adjust 1                -> refused unknown_account
        adjust 0                -> refused unknown_account
        limit 1                 -> refused unknown_account
        status locked           -> refused unknown_account
        open VND limit -0.01    -> refused amount_out_of_range amount -0.01
        open VND limit 0        -> posted 0 available 0 limit 0 status active number 1
        open VND limit 0        -> refused account_exists
        open VND limit -1       -> refused account_exists
        ",
    );
}

#[test]
fn a_limit_moves_what_is_available_and_may_fall_below_what_is_used() {
    check(
        "
        open VND limit 50            -> available 50
        charge 50                    -> posted -50 available 0
        limit 10                     -> posted -50 available -40 limit 10
        charge 0.01                  -> refused insufficient_credit available -40 amount 0.01
        limit -0.01                  -> refused amount_out_of_range amount -0.01
        limit 0                      -> posted -50 available -50 limit 0
        limit 50.5 reason agreed     -> posted -50 available 0.5 limit 50.5
        charge 0.5                   -> posted -50.5 available 0
        limit 50.5                   -> posted -50.5 available 0 limit 50.5 number 7
        ",
    );
}

#[test]
fn an_adjustment_goes_both_ways_and_is_never_zero() {
    check(
        "
        open VND limit 0             -> available 0
        adjust 0                     -> refused amount_out_of_range amount 0
        adjust 3 reason counted      -> posted 3 available 3
        adjust -10                   -> posted -7 available -7 number 3
        ",
    );
}

#[test]
fn an_active_account_takes_everything() {
    check(
        "
        open VND limit 5    -> available 5
        status active       -> posted 0 available 5 status active number 2
        limit 6             -> available 6
        topup 1             -> available 7
        charge 1            -> available 6
        adjust 1            -> available 7
        adjust -1           -> available 6
        open VND limit 5    -> refused account_exists
        status locked       -> status locked number 8
        status active       -> status active number 9
        status closed       -> status closed number 10
        ",
    );
}

#[test]
fn a_locked_account_takes_everything_but_spending() {
    check(
        "
        open VND limit 5         -> available 5
        topup 10                 -> available 15
        status locked reason why -> posted 10 available 15 status locked
        charge 0.01              -> refused account_locked
        charge 999               -> refused account_locked
        topup 1                  -> posted 11 available 16 status locked
        adjust 1                 -> posted 12 available 17 status locked
        adjust -20               -> posted -8 available -3 status locked
        adjust 0                 -> refused amount_out_of_range amount 0
        limit 9                  -> posted -8 available 1 status locked
        limit -9                 -> refused amount_out_of_range amount -9
        status locked            -> status locked number 8
        open VND limit 5         -> refused account_exists
        status closed            -> refused account_not_empty posted -8 held 0
        status active            -> status active
        charge 1                 -> posted -9 available 0
        status locked            -> status locked
        adjust 9                 -> posted 0
        status closed            -> posted 0 status closed
        ",
    );
}

#[test]
fn a_closed_account_takes_nothing_for_ever() {
    check(
        "
        open VND limit 5    -> available 5
        status closed       -> posted 0 held 0 limit 5 status closed number 2
        topup 1             -> refused account_closed
        charge 1            -> refused account_closed
        charge 999          -> refused account_closed
        adjust 1            -> refused account_closed
        adjust 0            -> refused account_closed
        limit 1             -> refused account_closed
        limit -1            -> refused account_closed
        status active       -> refused account_closed
        status locked       -> refused account_closed
        status closed       -> refused account_closed
        open VND limit 5    -> refused account_exists
        ",
    );
}

#[test]
fn only_an_account_with_nothing_in_it_is_closed() {
    check(
        "
        given posted 0.01 held 0 limit 0    ->
        status closed                       -> refused account_not_empty posted 0.01 held 0
        given posted -3 held 0 limit 5      ->
        status closed                       -> refused account_not_empty posted -3 held 0
        given posted 0 held 4 limit 5       ->
        status closed                       -> refused account_not_empty posted 0 held 4
        given posted 4 held 4 limit 0       ->
        status closed                       -> refused account_not_empty posted 4 held 4
        given posted 0 held 0 limit 5       ->
        status closed                       -> status closed
        ",
    );
}

#[test]
fn money_promised_to_a_hold_is_spent_already() {
    check(
        "
        given posted 100 held 60 limit 10   ->
        charge 50.01                        -> refused insufficient_credit available 50 amount 50.01
        charge 50                           -> posted 50 held 60 available 0
        topup 1                             -> posted 51 held 60 available 1
        adjust -2                           -> posted 49 held 60 available -1
        limit 11                            -> posted 49 held 60 available 0
        ",
    );
}

#[test]
fn a_key_gives_its_first_outcome_again_and_takes_no_other_content() {
    check(
        "
        open VND limit 0 key o                      -> number 1
        open VND limit 0 key o                      -> replay
        open VND limit 1 key o                      -> refused key_reused entry 1
        topup 100 key t                             -> posted 100 number 2
        topup 100.00 key t                          -> replay
        topup 100 key t by operator:anna            -> replay
        topup 101 key t                             -> refused key_reused entry 2
        charge 100 key t                            -> refused key_reused entry 2
        adjust 100 key t                            -> refused key_reused entry 2
        topup 100 key t reference r                 -> refused key_reused entry 2
        topup 100 key t meta a=b                    -> refused key_reused entry 2
        charge 30 key c reference sms meta a=b      -> posted 70 number 3
        charge 30 key c reference sms meta a=b      -> replay
        charge 30 key c reference sms meta a=c      -> refused key_reused entry 3
        charge 30 key c reference smS meta a=b      -> refused key_reused entry 3
        charge 30 key c meta a=b                    -> refused key_reused entry 3
        limit 5 key l reason one                    -> number 4
        limit 5 key l reason one                    -> replay
        limit 5 key l reason two                    -> refused key_reused entry 4
        limit 5 key l                               -> refused key_reused entry 4
        charge 30                                   -> posted 40 number 5
        charge 30                                   -> posted 10 number 6
        ",
    );
}

#[test]
fn a_refusal_uses_its_key_up_and_a_replay_comes_before_every_rule() {
    check(
        "
        topup 1 key early                   -> refused unknown_account
        open VND limit 0                    -> number 1
        topup 1 key early                   -> posted 1 number 2
        charge 10 key c                     -> refused insufficient_credit available 1 amount 10
        topup 100                           -> posted 101
        charge 10 key c                     -> replay
        charge 11 key c                     -> refused key_reused entry none
        charge 10 key d                     -> posted 91 number 4
        adjust 0 key z                      -> refused amount_out_of_range amount 0
        adjust 0 key z                      -> replay
        status closed key e                 -> refused account_not_empty posted 91 held 0
        adjust -91                          -> posted 0
        status closed key e                 -> replay
        open VND limit 0 key n              -> refused account_exists
        topup 5 key n                       -> posted 5
        adjust -5                           -> posted 0
        status locked                       -> status locked
        charge 1 key f                      -> refused account_locked
        status active                       -> status active
        charge 1 key f                      -> replay
        status closed                       -> status closed
        charge 10 key d                     -> replay
        charge 12 key d                     -> refused key_reused entry 4
        charge 1 key g                      -> refused account_closed
        charge 1 key g                      -> replay
        ",
    );
}

#[test]
fn no_figure_leaves_a_quarter_of_i64() {
    check(
        "
        open VND limit 0                    -> available 0
        topup max                           -> posted max available max
        topup 0.01                          -> refused amount_out_of_range amount 0.01
        topup max                           -> refused amount_out_of_range amount max
        adjust 0.01                         -> refused amount_out_of_range amount 0.01
        limit 0.01                          -> refused amount_out_of_range amount 0.01
        adjust -0.01                        -> posted 23058430092136939.5
        limit 0.01                          -> available max limit 0.01
        topup 0.01                          -> refused amount_out_of_range amount 0.01
        limit 0                             -> available 23058430092136939.5
        topup 0.01                          -> posted max
        charge max                          -> posted 0 available 0
        adjust -max                         -> posted -max available -max
        adjust -0.01                        -> refused amount_out_of_range amount -0.01
        charge max                          -> refused insufficient_credit available -max amount max
        limit max                           -> posted -max available 0 limit max
        charge 0.01                         -> refused insufficient_credit available 0 amount 0.01
        topup max                           -> posted 0 available max
        topup 0.01                          -> refused amount_out_of_range amount 0.01
        adjust 0.01                         -> refused amount_out_of_range amount 0.01
        charge max                          -> posted -max available 0
        ",
    );
}

#[test]
fn what_holds_keep_back_stays_releasable_within_the_bounds() {
    check(
        "
        given posted 0 held 0.02 limit 0    ->
        adjust -max                         -> refused amount_out_of_range amount -max
        adjust -23058430092136939.5         -> refused amount_out_of_range amount -23058430092136939.5
        adjust -23058430092136939.49        -> held 0.02 available -max
        given posted 0 held 10 limit 0      ->
        limit max                           -> held 10 limit max available 23058430092136929.51
        topup 0.01                          -> refused amount_out_of_range amount 0.01
        ",
    );
}

#[test]
fn ledger_time_never_goes_back() {
    check(
        "
        clock 1000              ->
        open VND limit 0        -> at 1000
        clock 400               ->
        topup 1                 -> at 1000 number 2
        clock 1000              ->
        topup 1                 -> at 1000 number 3
        clock 1001              ->
        charge 1                -> at 1001
        clock 5000              ->
        charge 9                -> refused insufficient_credit available 1 amount 9
        clock 1500              ->
        limit 1                 -> at 1500
        clock -7                ->
        status locked           -> at 1500
        adjust 1                -> at 1500
        ",
    );
}

#[test]
#[should_panic(expected = "topup 1 -> posted 1")]
fn a_table_that_is_wrong_fails() {
    check(
        "
        open VND limit 0 -> posted 0
        topup 1          -> posted 2
        ",
    );
}
