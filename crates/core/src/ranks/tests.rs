use std::{collections::VecDeque, sync::Arc, task::Wake};

use proptest::prelude::*;

use super::*;
use crate::{Key, Random, Ratio};

const NOW: Nanos = Nanos::from_nanos(1);

fn rank(class: Priority, client: u64, cost: u32) -> Rank {
    Rank { class, client: Some(Key::of(&client)), cost }
}

/// Serves whoever is next of these and says which it was.
fn serve<T: Copy>(ranks: &mut Ranks, waiting: &mut Vec<(T, Place)>) -> T {
    let next = waiting.iter().position(|(_, place)| ranks.is_next(place)).expect("one is next");
    let (who, place) = waiting.swap_remove(next);
    ranks.serve(place, NOW);
    who
}

fn joined(ranks: &mut Ranks, class: Priority, client: u64, cost: u32) -> (u64, Place) {
    (client, ranks.join(rank(class, client, cost), NOW))
}

#[test]
fn a_higher_class_goes_first_whoever_came_first() {
    let mut ranks = Ranks::new();
    ranks.set_floors(Floors::none());
    let mut waiting: Vec<_> = [Priority::Batch, Priority::Low, Priority::High, Priority::Medium]
        .map(|class| (class, ranks.join(rank(class, 1, 1), NOW)))
        .into();
    let order: Vec<Priority> = (0..4).map(|_| serve(&mut ranks, &mut waiting)).collect();
    assert_eq!(order, Priority::ALL);
}

#[test]
fn a_hundred_thousand_of_the_lowest_class_do_not_delay_the_highest() {
    let mut ranks = Ranks::new();
    let places: Vec<Place> =
        (0..100_000).map(|n| ranks.join(rank(Priority::Batch, n % 7, 1), NOW)).collect();
    let high = ranks.join(rank(Priority::High, 1, 1), NOW);
    assert!(ranks.is_next(&high));
    ranks.serve(high, NOW);
    for place in places {
        let _ = ranks.leave(place);
    }
    assert!(ranks.is_empty() && ranks.next_waker().is_none());
    assert_eq!(ranks.slots.capacity(), 0, "an empty queue holds no memory");
    assert!(ranks.classes.iter().all(|class| class.capacity() == 0));
}

#[test]
fn every_class_gets_its_floor_beside_a_flood_of_the_highest() {
    let mut ranks = Ranks::new();
    let mut waiting: Vec<_> = Priority::ALL
        .into_iter()
        .flat_map(|class| (0..50).map(move |client| (class, client)))
        .map(|(class, client)| (class, ranks.join(rank(class, client, 1), NOW)))
        .collect();
    let mut turns = [0_u32; 4];
    for _ in 0..10_000 {
        let class = serve(&mut ranks, &mut waiting);
        turns[class.index()] += 1;
        waiting.push((class, ranks.join(rank(class, 1, 1), NOW)));
    }
    for (got, floor) in turns.into_iter().zip([8500, 1000, 400, 100]) {
        assert!(got.abs_diff(floor) <= 5, "{turns:?}");
    }
}

#[test]
fn a_greedy_client_takes_turns_with_a_modest_one() {
    let mut ranks = Ranks::new();
    let mut waiting: Vec<_> =
        (0..1000).map(|_| joined(&mut ranks, Priority::Medium, 1, 1)).collect();
    waiting.extend((0..3).map(|_| joined(&mut ranks, Priority::Medium, 2, 1)));
    let order: Vec<u64> = (0..6).map(|_| serve(&mut ranks, &mut waiting)).collect();
    assert_eq!(order, [1, 2, 1, 2, 1, 2]);
}

#[test]
fn turns_are_shared_by_cost_and_not_by_number() {
    let mut ranks = Ranks::new();
    let mut waiting = Vec::new();
    let mut served = [0_u64; 3];
    for (client, cost) in [(0, 10), (1, 1), (2, 3)] {
        waiting.extend((0..4000).map(|_| joined(&mut ranks, Priority::Low, client, cost)));
    }
    for _ in 0..3000 {
        let client = serve(&mut ranks, &mut waiting);
        served[usize::try_from(client).unwrap()] += [10, 1, 3][usize::try_from(client).unwrap()];
    }
    let (least, most) = (served.iter().min().unwrap(), served.iter().max().unwrap());
    assert!(most - least <= 20, "{served:?}");
}

#[test]
fn who_comes_and_goes_earns_nothing() {
    let mut ranks = Ranks::new();
    let mut waiting = vec![joined(&mut ranks, Priority::Low, 1, 1)];
    for _ in 0..100 {
        let place = ranks.join(rank(Priority::Low, 2, 1), NOW);
        let _ = ranks.leave(place);
    }
    waiting.extend((0..4).map(|_| joined(&mut ranks, Priority::Low, 2, 1)));
    waiting.extend((0..3).map(|_| joined(&mut ranks, Priority::Low, 1, 1)));
    let order: Vec<u64> = (0..6).map(|_| serve(&mut ranks, &mut waiting)).collect();
    assert_eq!(order, [1, 2, 1, 2, 1, 2]);
}

#[test]
fn who_was_quiet_goes_before_who_was_not() {
    let mut ranks = Ranks::new();
    let mut waiting: Vec<_> =
        (0..60).map(|number| joined(&mut ranks, Priority::Low, number % 3, 1)).collect();
    let first: Vec<u64> = (0..5).map(|_| serve(&mut ranks, &mut waiting)).collect();
    assert_eq!(first, [0, 1, 2, 0, 1]);
    let _: Vec<u64> = (0..8).map(|_| serve(&mut ranks, &mut waiting)).collect();
    waiting.extend((0..6).map(|_| joined(&mut ranks, Priority::Low, 3, 1)));
    let then: Vec<u64> = (0..9).map(|_| serve(&mut ranks, &mut waiting)).collect();
    assert_eq!(then, [3, 3, 3, 3, 1, 2, 0, 3, 1]);
}

#[test]
fn who_sends_request_after_request_gains_nothing() {
    for others in 1..5 {
        let mut ranks = Ranks::new();
        let mut waiting = Vec::new();
        for number in 0..1000 * others {
            waiting.push(joined(&mut ranks, Priority::Low, number % others, 1));
        }
        let (mut turns, mut own) = (0, 0);
        waiting.push(joined(&mut ranks, Priority::Low, 9, 1));
        while turns < 1000 {
            turns += 1;
            if serve(&mut ranks, &mut waiting) == 9 {
                own += 1;
                waiting.push(joined(&mut ranks, Priority::Low, 9, 1));
            }
        }
        assert!(own <= turns / (others + 1) + 4, "{own} turns beside {others} others");
    }
}

/// A limit of a thousand a second, a hundred clients of which each asks for eight, and one whose
/// requests always wait: the hundred wait hardly longer than they would without it.
#[test]
fn a_greedy_client_hardly_delays_polite_ones() {
    let (random, mut ranks) = (Random::seeded(1), Ranks::new());
    let (mut places, mut waits) = (VecDeque::new(), Vec::new());
    for _ in 0..100 {
        places.push_back((1000, 0, ranks.join(rank(Priority::Low, 1000, 1), NOW)));
    }
    for turn in 0..30_000_u64 {
        for client in 0..100 {
            if random.below(125) == 0 {
                places.push_back((client, turn, ranks.join(rank(Priority::Low, client, 1), NOW)));
            }
        }
        let next = places.iter().position(|(.., place)| ranks.is_next(place)).unwrap();
        let (client, since, place) = places.remove(next).unwrap();
        ranks.serve(place, NOW);
        if client == 1000 {
            places.push_back((1000, turn, ranks.join(rank(Priority::Low, 1000, 1), NOW)));
        } else {
            waits.push(turn - since);
        }
    }
    waits.sort_unstable();
    let p99 = waits[waits.len() * 99 / 100];
    assert!(p99 <= 12, "a hundredth waits for {p99} turns");
}

#[test]
fn a_flood_of_new_clients_does_not_starve_those_who_wait() {
    for others in [1, 5, 63, 200] {
        let mut ranks = Ranks::new();
        let (mut waiting, bound) = (Vec::new(), others + others.max(64));
        for number in 0..20 * others {
            waiting.push(joined(&mut ranks, Priority::Low, number % others, 1));
        }
        let mut seen = vec![(0, 0); usize::try_from(others).unwrap()];
        for turn in 0..20 * others + 4 * bound {
            waiting.push(joined(&mut ranks, Priority::Low, 1000 + turn, 1));
            let client = usize::try_from(serve(&mut ranks, &mut waiting)).unwrap();
            if let Some((turns, last)) = seen.get_mut(client) {
                // The first four are of those who were quiet.
                let waited = turn - *last;
                assert!(*turns <= 4 || waited <= bound, "{waited} turns of {others} clients");
                (*turns, *last) = (*turns + 1, turn);
            }
        }
        assert!(seen.iter().all(|(turns, _)| *turns > 6), "it proves nothing: {seen:?}");
    }
}

#[test]
fn the_newest_goes_first_where_that_is_wanted() {
    let mut ranks = Ranks::new();
    ranks.set_newest_first(Priority::Low, true);
    let mut waiting: Vec<_> =
        (0..3).map(|n| (n, ranks.join(rank(Priority::Low, 1, 1), NOW))).collect();
    let order: Vec<u64> = (0..3).map(|_| serve(&mut ranks, &mut waiting)).collect();
    assert_eq!(order, [2, 1, 0]);
}

#[test]
fn who_is_put_out_is_the_newest_and_only_has_to_leave() {
    let mut ranks = Ranks::new();
    let (old, new) =
        (joined(&mut ranks, Priority::Batch, 1, 1).1, joined(&mut ranks, Priority::Batch, 2, 1).1);
    ranks.park(&new, Waker::noop());
    assert!(ranks.evict_newest(Priority::High).is_none());
    assert!(ranks.evict_newest(Priority::Batch).is_some());
    assert!(ranks.is_evicted(&new) && !ranks.is_evicted(&old));
    assert_eq!(ranks.len_of(Priority::Batch), 1);
    assert!(!ranks.leave(new) && ranks.is_next(&old) && ranks.leave(old));
    assert_eq!(ranks.slots.capacity(), 0);
}

#[test]
fn the_wait_is_foreseen_from_the_turns_that_a_class_has_had() {
    let (mut ranks, second) = (Ranks::new(), Duration::from_secs(1));
    let rank = rank(Priority::Low, 1, 1);
    assert_eq!(ranks.wait_of(&rank), Duration::ZERO);
    let mut now = NOW;
    let mut places: VecDeque<Place> = (0..100).map(|_| ranks.join(rank, now)).collect();
    for _ in 0..50 {
        now = now + second;
        ranks.serve(places.pop_front().unwrap(), now);
    }
    assert_eq!(ranks.wait_of(&rank), second * 51);
    // A pause in which nobody waits is no slow service.
    while let Some(place) = places.pop_front() {
        let _ = ranks.leave(place);
    }
    now = now + second * 1000;
    let place = ranks.join(rank, now);
    ranks.serve(place, now + second);
    assert_eq!(ranks.wait_of(&rank), second);
}

#[test]
fn a_higher_class_takes_the_place_of_the_newest_of_the_lowest() {
    let mut ranks = Ranks::new();
    let low = ranks.join(rank(Priority::Low, 1, 1), NOW);
    let batch = [1, 2].map(|client| ranks.join(rank(Priority::Batch, client, 1), NOW));
    ranks.park(&batch[1], Waker::noop());
    let (mut evicted, any) = (None, |class| Rank { class, ..Rank::default() });
    assert!(ranks.make_room(&any(Priority::Batch), 4, &mut evicted), "there is room");
    assert!(!ranks.make_room(&any(Priority::Batch), 3, &mut evicted), "nobody is below");
    assert!(ranks.make_room(&any(Priority::Medium), 3, &mut evicted) && evicted.is_some());
    assert!(ranks.is_evicted(&batch[1]) && !ranks.is_evicted(&batch[0]));
    assert!(ranks.make_room(&any(Priority::High), 2, &mut evicted) && ranks.is_evicted(&batch[0]));
    assert!(!ranks.make_room(&any(Priority::Low), 1, &mut evicted) && !ranks.is_evicted(&low));
    assert!(!ranks.make_room(&any(Priority::High), 0, &mut evicted), "nobody may wait at all");
}

#[test]
fn each_class_has_its_floor_of_the_places_and_the_rest_is_for_the_highest() {
    const MOST: u32 = 100;
    let floors = [0, 10, 4, 1];
    let random = Random::seeded(7);
    let (mut ranks, mut places) = (Ranks::new(), Vec::<(Priority, Place)>::new());
    let lens = |ranks: &Ranks| Priority::ALL.map(|class| ranks.len_of(class));
    let mut full = 0;
    for step in 0..20_000 {
        if random.below(8) == 0 && !places.is_empty() {
            let leaver = random.below(places.len() as u64);
            ranks.leave(places.swap_remove(usize::try_from(leaver).unwrap()).1);
            continue;
        }
        // Now the high ones flood it, now those of a batch.
        let lean = random.below(4).min(random.below(4));
        let number = usize::try_from(if step / 1000 % 2 == 0 { lean } else { 3 - lean }).unwrap();
        let (class, before) = (Priority::ALL[number], lens(&ranks));
        let mut evicted = None;
        let joins = ranks.make_room(&Rank { class, ..Rank::default() }, MOST, &mut evicted);
        let after = lens(&ranks);
        let is_full = before.iter().sum::<u32>() == MOST;
        full += u32::from(is_full);
        let has_right = before[number] < floors[number]
            || (number + 1..4).any(|lower| before[lower] > floors[lower]);
        assert_eq!(joins, !is_full || has_right, "{class:?}, {before:?}");
        let loser = (0..4).find(|other| after[*other] < before[*other]);
        let lowest = (0..4).rev().find(|other| before[*other] > floors[*other]);
        assert_eq!(loser, lowest.filter(|_| is_full && joins), "{class:?}, {before:?}");
        if joins {
            places.push((class, ranks.join(Rank { class, ..Rank::default() }, NOW)));
        }
        let (out, inside) = places.into_iter().partition(|(_, place)| ranks.is_evicted(place));
        places = inside;
        let out: Vec<_> = out;
        for (_, place) in out {
            ranks.leave(place);
        }
        assert!(ranks.len() <= MOST);
    }
    assert!(full > 10_000, "{full}");
}

#[test]
fn nobody_is_put_out_while_a_place_is_free_and_no_client_puts_out_more_than_half() {
    for waiting in [0, 50, 100] {
        let mut ranks = Ranks::new();
        let others: Vec<_> =
            (0..waiting).map(|client| ranks.join(rank(Priority::Batch, client, 1), NOW)).collect();
        let (greedy, mut places) = (rank(Priority::High, 1000, 1), Vec::new());
        loop {
            let (mut evicted, before) = (None, ranks.len());
            if !ranks.make_room(&greedy, 100, &mut evicted) {
                break;
            }
            assert!(ranks.len() == before || before == 100, "one is put out of {before}");
            places.push(ranks.join(greedy, NOW));
        }
        assert_eq!(ranks.len_of(Priority::High), 50, "beside {waiting}");
        let left = u32::try_from(waiting).unwrap().min(50);
        assert_eq!(ranks.len_of(Priority::Batch), left, "beside {waiting}");
        let mut evicted = None;
        assert!(ranks.make_room(&rank(Priority::High, 1001, 1), 100, &mut evicted), "another");
        for place in places.into_iter().chain(others) {
            ranks.leave(place);
        }
    }
}

/// Turns of others while each class is never without a newcomer, who asks again with every turn: the most
/// that it had to let pass, in a queue of so many places.
fn longest_gaps(places: u32, asks: [bool; 4]) -> [u64; 4] {
    let (mut ranks, mut line) = (Ranks::new(), Vec::<(Priority, Place)>::new());
    let (mut gaps, mut longest) = ([0; 4], [0; 4]);
    for _ in 0..500 {
        for class in Priority::ALL.into_iter().filter(|class| asks[class.index()]) {
            loop {
                let (rank, mut evicted) = (Rank { class, ..Rank::default() }, None);
                if !ranks.make_room(&rank, places, &mut evicted) {
                    break;
                }
                line.push((class, ranks.join(rank, NOW)));
                let (out, inside) = line.into_iter().partition(|(_, at)| ranks.is_evicted(at));
                line = inside;
                let out: Vec<_> = out;
                let is_swapped = out.iter().any(|(of, _)| *of == class);
                for (_, place) in out {
                    ranks.leave(place);
                }
                assert!(ranks.len() <= places && !is_swapped);
            }
        }
        let next = line.iter().position(|(_, place)| ranks.is_next(place)).unwrap();
        let (served, place) = line.swap_remove(next);
        ranks.serve(place, NOW);
        for class in Priority::ALL {
            let gap = if class == served { 0 } else { gaps[class.index()] + 1 };
            gaps[class.index()] = gap;
            longest[class.index()] = gap.max(longest[class.index()]);
        }
    }
    for (_, place) in line {
        ranks.leave(place);
    }
    longest
}

#[test]
fn a_class_has_its_turn_within_its_bound_however_few_places_there_are() {
    for places in 1..=100 {
        for class in [Priority::Medium, Priority::Low, Priority::Batch] {
            let mut asks = [true, false, false, false];
            asks[class.index()] = true;
            let longest = longest_gaps(places, asks)[class.index()];
            let bound = Floors::default().longest_wait(class).unwrap();
            assert!(longest <= bound, "{class:?}, {places} places: {longest} of {bound}");
        }
        let longest = longest_gaps(places, [true; 4]);
        for class in [Priority::Medium, Priority::Low, Priority::Batch] {
            let bound = Floors::default().longest_wait(class).unwrap();
            let longest = longest[class.index()];
            assert!(longest <= bound, "{class:?} of all, {places} places: {longest} of {bound}");
        }
        assert!(longest[0] <= 3, "high lets each of the others pass once: {longest:?}");
    }
}

#[test]
fn what_is_earned_without_a_place_is_one_turn_at_the_most() {
    let any = |class| Rank { class, ..Rank::default() };
    let (high, batch) = (any(Priority::High), any(Priority::Batch));
    let (mut ranks, mut evicted) = (Ranks::new(), None);
    let mut place = ranks.join(high, NOW);
    for _ in 0..3 {
        assert!(!ranks.make_room(&batch, 1, &mut evicted), "it has earned nothing yet");
        for _ in 0..1_000 {
            let next = ranks.join(high, NOW);
            ranks.serve(place, NOW);
            place = next;
        }
        assert!(ranks.make_room(&batch, 1, &mut evicted) && ranks.is_evicted(&place));
        let first = ranks.join(batch, NOW);
        ranks.leave(place);
        assert!(!ranks.make_room(&high, 1, &mut evicted), "it keeps its place");
        assert!(ranks.is_next(&first), "and goes first");
        place = ranks.join(high, NOW);
        ranks.serve(first, NOW);
    }
    ranks.leave(place);
}

/// Floors that come to a half or less.
fn floors() -> impl Strategy<Value = Floors> {
    prop::array::uniform3(0_u32..=166).prop_map(|[medium, low, batch]| {
        let share = |permille: u32| Ratio::try_new("", f64::from(permille) / 1000.0).unwrap();
        Floors::none().medium(share(medium)).low(share(low)).batch(share(batch))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The bound that the page of [`Floors`] states, under arrivals of any kind.
    #[test]
    fn no_class_starves_beyond_its_bound(floors in floors(), seed: u64, crowd in 1..40_u64) {
        let (random, mut ranks, mut waiting) = (Random::seeded(seed), Ranks::new(), Vec::new());
        ranks.set_floors(floors);
        let mut waits = [0_u64; 4];
        for _ in 0..300 {
            for _ in 0..random.below(crowd).min(3 * u64::from(waiting.len() < 20)) {
                let class = Priority::ALL[usize::try_from(random.below(4)).unwrap()];
                waiting.push((class, ranks.join(rank(class, random.below(3), 1), NOW)));
            }
            if random.below(5) == 0 && !waiting.is_empty() {
                let gone = usize::try_from(random.below(waiting.len() as u64)).unwrap();
                let _ = ranks.leave(waiting.swap_remove(gone).1);
            }
            if waiting.is_empty() {
                waits = [0; 4];
                continue;
            }
            let served = serve(&mut ranks, &mut waiting);
            for class in Priority::ALL {
                let waited = &mut waits[class.index()];
                *waited = if class == served || ranks.len_of(class) == 0 { 0 } else { *waited + 1 };
                if let Some(longest) = floors.longest_wait(class) {
                    prop_assert!(*waited <= longest, "{class:?} waits longer than {longest}");
                }
            }
        }
    }

    /// The same with requests of any cost: what others have had before is bounded, by cost.
    #[test]
    fn no_class_starves_beyond_its_bound_whatever_requests_cost(
        floors in floors(),
        seed: u64,
        dearest in 1..200_u32,
    ) {
        let (random, mut ranks, mut waiting) = (Random::seeded(seed), Ranks::new(), Vec::new());
        ranks.set_floors(floors);
        // Most are cheap, and each class has its own dearest.
        let costs = [(); 4].map(|()| 1 + u32::try_from(random.below(dearest.into())).unwrap());
        let cost_in = |class: Priority| match random.below(3) {
            0 => costs[class.index()],
            _ => 1 + u32::try_from(random.below(costs[class.index()].into())).unwrap() / 4,
        };
        let mut waits = [0_u64; 4];
        for _ in 0..1000 {
            for _ in 0..random.below(4).min(3 * u64::from(waiting.len() < 20)) {
                let class = Priority::ALL[usize::try_from(random.below(4)).unwrap()];
                let cost = cost_in(class);
                waiting.push(((class, cost), ranks.join(rank(class, random.below(3), cost), NOW)));
            }
            if random.below(5) == 0 && !waiting.is_empty() {
                let gone = usize::try_from(random.below(waiting.len() as u64)).unwrap();
                let _ = ranks.leave(waiting.swap_remove(gone).1);
            }
            if waiting.is_empty() {
                waits = [0; 4];
                continue;
            }
            let (served, cost) = serve(&mut ranks, &mut waiting);
            for class in Priority::ALL {
                let waited = &mut waits[class.index()];
                let is_over = class == served || ranks.len_of(class) == 0;
                *waited = if is_over { 0 } else { *waited + u64::from(cost) };
                let longest = floors.longest_wait_of(class, costs[class.index()], dearest);
                prop_assert!(longest.is_none_or(|longest| *waited <= longest), "{class:?}");
            }
        }
    }

    #[test]
    fn it_serves_as_a_plain_round_of_deques_would(
        steps in prop::collection::vec((0..10_u8, 0..4_usize, 0..4_u64), 1..200),
    ) {
        let mut ranks = Ranks::new();
        ranks.set_floors(Floors::none());
        let mut model: [Rounds; 4] = Default::default();
        let mut waiting: Vec<(u64, Place)> = Vec::new();
        for (id, (step, class, client)) in steps.into_iter().enumerate() {
            let id = id as u64;
            if step < 5 {
                waiting.push((id, ranks.join(rank(Priority::ALL[class], client, 1), NOW)));
                model[class].join(client, id);
            } else if step < 8 && !waiting.is_empty() {
                let expected = model.iter_mut().find_map(Rounds::serve).unwrap();
                prop_assert_eq!(serve(&mut ranks, &mut waiting), expected);
            } else if !waiting.is_empty() {
                let (gone, place) = waiting.swap_remove(usize::from(step) % waiting.len());
                let next = |model: &[Rounds; 4]| model.clone().iter_mut().find_map(Rounds::serve);
                let before = next(&model);
                for rounds in &mut model {
                    rounds.leave(gone);
                }
                prop_assert_eq!(ranks.leave(place), next(&model) != before);
            }
            let clients = ranks.classes.iter().map(Class::known_clients).sum::<usize>();
            prop_assert!(clients <= model.iter().map(Rounds::clients).sum());
            prop_assert_eq!(ranks.len() as usize, waiting.len());
        }
    }
}

#[test]
fn what_costs_a_hundred_times_as_much_waits_for_a_hundred_times_as_many_turns() {
    let (mut ranks, mut turns) = (Ranks::new(), 0);
    let low = ranks.join(rank(Priority::Low, 1, 100), NOW);
    let mut high = ranks.join(rank(Priority::High, 2, 1), NOW);
    while !ranks.is_next(&low) {
        ranks.serve(high, NOW);
        turns += 1;
        high = ranks.join(rank(Priority::High, 2, 1), NOW);
    }
    assert_eq!(turns, 2500);
    let _ = (ranks.leave(low), ranks.leave(high));
}

#[test]
#[should_panic(expected = "floors come to 50 % of all turns at the most")]
fn floors_that_would_starve_the_highest_class_are_not_built() {
    let _ = Floors::none().batch(Ratio::ONE);
}

#[test]
fn who_leaves_tells_when_another_is_next_although_it_was_not_the_next_itself() {
    let mut ranks = Ranks::new();
    ranks.set_floors(Floors::none().low(Ratio::percent::<50>()));
    let dear = ranks.join(rank(Priority::Low, 1, 10), NOW);
    let cheap = ranks.join(rank(Priority::Low, 1, 1), NOW);
    for _ in 0..2 {
        let high = ranks.join(rank(Priority::High, 1, 1), NOW);
        ranks.serve(high, NOW);
    }
    // The class has earned a turn for the cheap one, but not yet for the dear one before it.
    let high = ranks.join(rank(Priority::High, 1, 1), NOW);
    assert!(ranks.is_next(&high));
    assert!(ranks.leave(dear));
    assert!(ranks.is_next(&cheap));
}

#[test]
fn a_class_that_was_slow_once_is_not_foreseen_as_slow_for_ever() {
    let (mut ranks, second) = (Ranks::new(), Duration::from_secs(1));
    let may = |ranks: &mut Ranks, now| ranks.may_wait(&Rank::default(), now, second);
    let slow = ranks.join(Rank::default(), NOW);
    let slowed = NOW + 3600 * second;
    ranks.serve(slow, slowed);
    assert!(!may(&mut ranks, slowed + 7 * second), "it was slow just now");
    let looks = slowed + 8 * second;
    assert!(may(&mut ranks, looks));
    let vain = ranks.join(Rank::default(), looks);
    assert!(!may(&mut ranks, looks), "one at a time finds out");
    let _ = ranks.leave(vain);
    assert!(!may(&mut ranks, looks + 7 * second), "and not one after the other");
    let looks = looks + 8 * second;
    assert!(may(&mut ranks, looks));
    let quick = ranks.join(Rank::default(), looks);
    ranks.serve(quick, looks + second / 10);
    assert!(may(&mut ranks, looks + second / 10), "what it found out holds for all");
}

#[test]
fn who_has_left_keeps_nothing_of_its_waker() {
    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }
    let mut ranks = Ranks::new();
    ranks.set_floors(Floors::none());
    let task = Arc::new(Task);
    let stays = ranks.join(Rank { class: Priority::Low, ..Rank::default() }, NOW);
    let places: Vec<Place> = (0..100)
        .map(|_| {
            let place = ranks.join(Rank { class: Priority::High, ..Rank::default() }, NOW);
            ranks.park(&place, &Waker::from(Arc::clone(&task)));
            place
        })
        .collect();
    for (number, place) in places.into_iter().enumerate() {
        if number % 2 == 0 {
            ranks.serve(place, NOW);
        } else {
            let _ = ranks.leave(place);
        }
    }
    assert_eq!(Arc::strong_count(&task), 1, "tasks that are gone are kept in memory");
    let _ = ranks.leave(stays);
}

/// The clients of a class in the order of their turns.
#[derive(Default, Clone)]
struct Rounds {
    fresh: VecDeque<Client>,
    round: VecDeque<Client>,
    first_turns: usize,
}

#[derive(Clone)]
struct Client {
    name: u64,
    requests: VecDeque<u64>,
    saved: u8,
}

impl Client {
    fn waits(&self) -> bool {
        !self.requests.is_empty()
    }
}

impl Rounds {
    fn join(&mut self, name: u64, id: u64) {
        let is_it = |client: &Client| client.name == name;
        if let Some(client) = self.fresh.iter_mut().find(|client| is_it(client)) {
            return client.requests.push_back(id);
        }
        let returns = |client: &Client| is_it(client) && (client.waits() || client.saved == 0);
        if let Some(client) = self.round.iter_mut().find(|client| returns(client)) {
            return client.requests.push_back(id);
        }
        let known = self.round.iter().position(is_it).and_then(|at| self.round.remove(at));
        let saved = known.map_or(4, |client| client.saved);
        self.fresh.push_back(Client { name, requests: [id].into(), saved });
        self.tidy();
    }

    fn serve(&mut self) -> Option<u64> {
        let waiting = self.round.iter().filter(|client| client.waits()).count();
        let may_be_first = waiting == 0 || self.first_turns < (64 / waiting).max(1);
        let is_first = may_be_first && !self.fresh.is_empty();
        let from = if is_first { &mut self.fresh } else { &mut self.round };
        let mut client = from.pop_front()?;
        let served = client.requests.pop_front();
        client.saved -= u8::from(is_first);
        self.first_turns = if is_first { self.first_turns + 1 } else { 0 };
        let stays = is_first && client.saved > 0 && client.waits();
        let to = if stays { &mut self.fresh } else { &mut self.round };
        to.push_back(client);
        self.tidy();
        served
    }

    fn leave(&mut self, gone: u64) {
        for client in self.fresh.iter_mut().chain(&mut self.round) {
            client.requests.retain(|id| *id != gone);
        }
        while let Some(at) = self.fresh.iter().position(|client| !client.waits()) {
            let client = self.fresh.remove(at).unwrap();
            if client.saved < 4 {
                self.round.push_back(client);
            }
        }
        self.tidy();
    }

    /// Who is reached and has nobody waiting saves a turn, and is forgotten with four; all are when
    /// nobody waits.
    fn tidy(&mut self) {
        while let Some(mut client) = self.round.pop_front_if(|client| !client.waits()) {
            client.saved += 1;
            if client.saved < 4 {
                self.round.push_back(client);
            }
        }
        if !self.fresh.iter().chain(&self.round).any(Client::waits) {
            *self = Self::default();
        }
    }

    fn clients(&self) -> usize {
        self.fresh.len() + self.round.len()
    }
}
