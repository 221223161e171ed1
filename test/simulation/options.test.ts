import { describe, expect, test } from 'vitest';
import { asked, USAGE } from './options.ts';

const read = (...words: string[]) => asked(words, ['no-fence', 'two-turns']);

describe('what the simulator is asked to do', () => {
  test.each([
    [[], { mode: 'seeds', seeds: 1_000, from: 1, steps: 2_000, leases: 'honest', twice: false, unkept: false }],
    [['--seed', '7', '--only', '3,7'], { mode: 'seed', seed: 7, steps: 2_000, leases: 'honest', only: [3, 7] }],
    [['--seed', '7', '--only', 'none', '--steps=9'], { mode: 'seed', seed: 7, steps: 9, leases: 'honest', only: [] }],
    [
      ['--seeds', '5', '--from', '2147483648', '--leases', 'lies', '--twice'],
      { mode: 'seeds', seeds: 5, from: 2 ** 31, steps: 2_000, leases: 'lies', twice: true, unkept: false },
    ],
    [['--mutants', 'no-fence'], { mode: 'mutants', names: ['no-fence'], seeds: 1_000, from: 1, steps: 2_000 }],
    [['--twins', '--seed', '3', '--logs', '0'], { mode: 'twins', sequences: 5_000, logs: 0, seed: 3 }],
    [['--regressions'], { mode: 'regressions' }],
    [['--seeds', 'many', '--help'], { mode: 'help' }],
  ] as const)('%j', (words, it) => expect(read(...words)).toEqual(it));

  test.each([
    [['--seeds', 'many'], '--seeds is "many": must be a whole number from 1 to 2^31'],
    [['--seeds', ''], '--seeds is "": must be a whole number from 1 to 2^31'],
    [['--seeds'], '--seeds is "": must be a whole number from 1 to 2^31'],
    [['--from', '2147483649'], '--from is "2147483649": must be a whole number from 0 to 2^31'],
    [['--leases', 'none'], '--leases is "none": must be honest, grants or lies'],
    [['--seed', '1', '--only', '1;2'], '--only is "1;2": must be none, or places of faults with commas between them'],
    [['--seed', '1', '--twice'], '--twice is given: does not go with --seed'],
    [['--twice=yes'], '--twice is "yes": takes no value'],
    [['--sed', '1'], '--sed is no option: must be one of --seed, --seeds'],
    [['7'], '"7" is given: only --mutants takes names'],
    [['--mutants', 'fence'], '"fence" is no mutant: must be one of no-fence, two-turns'],
  ] as const)('names what is wrong with %j', (words, why) => {
    const it = read(...words);
    expect(it.mode === 'wrong' && it.why.join('\n')).toContain(why);
  });

  test('names all of it at once', () =>
    expect(read('--steps', '0', '--leases', 'x')).toMatchObject({ why: [/--leases/, /--steps/].map((it) => expect.stringMatching(it)) }));
  test('tells every option in its help', () => {
    const [first] = read('--x').mode === 'wrong' ? (read('--x') as { readonly why: readonly string[] }).why : [];
    for (const option of first?.match(/--[a-z]+/g)?.slice(1) ?? []) if (option !== '--help') expect(USAGE).toContain(option);
  });
});
