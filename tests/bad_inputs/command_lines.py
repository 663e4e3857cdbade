"""Command lines that ask for what does not exist."""

from .case import Case


def _line(name: str, words: str, *command: str, code: int = 2) -> Case:
    return Case("command line", name, words, command, code=code)


_MERGE = ("merge", "RUN", "RUN", "-o", "m")
_SCORE = ("evaluate", "RUN", "run.yaml")
_NEW = ("-o", "new.yaml")
_OVER = ("--overwrite", "-o")

CASES = [
    _line("no such command", "No such command 'tarin'. Did you mean 'train'?", "tarin"),
    _line("no argument", "Missing argument", "train"),
    _line("no such option", "No such option: --ressume", "train", "run.yaml", "--ressume"),
    _line("an option without a value", "--set", "train", "run.yaml", "--set"),
    _line("too many arguments", "unexpected extra argument", "train", "run.yaml", "more.yaml"),
    _line("a command of 5,000 letters", "No such command", "x" * 5000),
    _line("control characters", "No such command '\\x1b[31m'", "\x1b[31m"),
    _line("no such split", "Did you mean 'test'?", "evaluate", "RUN", "run.yaml", "--split", "tset"),
    _line("no such starter", "Did you mean 'minilm'?", "fetch", "minlm"),
    _line("no such balancer", "Did you mean 'dao'?", "list", "balancers", "daoo"),
    _line("no such operator", "there is no operator 'tise'. Did you mean 'ties'?", "list", "operators", "tise"),
    _line("no such list", "there is no list 'balancer'. Did you mean 'balancers'?", "list", "balancer"),
    _line("no seeds", "--seeds", "compare", "run.yaml", "--seeds", "0"),
    _line("a word for epochs", "--single-task-epochs: found 'x'", "compare", "run.yaml", "--single-task-epochs", "x"),
    _line("a broken list of balancers", "--balance", "compare", "run.yaml", "--balance", "{" * 5000),
    _line("a balancer that is none", "there is no balancer 'daoo'", "compare", "run.yaml", "--balance", "daoo"),
    _line("a merge without an output", "--output: found none", "merge", "RUN", "RUN"),
    _line("an option of a merge without a value", "--option: found 'density'", *_MERGE, "--option", "density"),
    _line("an option of a merge without end", "--option", *_MERGE, "--option", "x=" + "[" * 5000),
    _line("a weight that is no number", "--weights: found 'x'", *_MERGE, "--weights", "a=x"),
    _line("a weight twice", "--weights: found 'a' twice", *_MERGE, "--weights", "a=1,b=2,a=3"),
    _line("an operator that is none", "Did you mean 'ties'?", *_MERGE, "--operator", "tise"),
    _line("a merge of nothing", "merge: nowhere: found no such folder", "merge", "nowhere", "-o", "m"),
    _line("a merge with no expert", "expected an expert", "merge", "RUN", "nowhere", "-o", "m", code=1),
    _line("a merge with a file", "data.csv: is a file, expected", "merge", "data.csv", "RUN", "-o", "m", code=1),
    _line("a merge of two of one name", "found a second expert of the name 'out'", *_MERGE),
    _line("a merge of one that changed nothing", "nothing differs from the base", "merge", "RUN", "-o", "m", code=1),
    _line("a merge of a run file with -o", "`equipoise search run.yaml`", "merge", "run.yaml", "-o", "m"),
    _line("how heads are merged", "'--heads': 'x' is not one of", *_MERGE, "--heads", "x"),
    _line("a weight without end", "--weights", *_MERGE, "--weights", "x=" + "[" * 5000),
    _line("seeds without end", "seeds: found 100000, expected 1,000 at", "compare", "run.yaml", "--seeds", "100000"),
    _line("epochs without end", "expected 1,000,000 at most", "compare", "run.yaml", "--single-task-epochs", "1e300"),
    _line("one run file twice", "rename one", "compare", "run.yaml", "run.yaml"),
    _line("a pair that is not UTF-8", "pair: found a byte that is not", "predict", "RUN", "a", "--pair", "\udce9"),
    _line("no run file for evaluate", "nowhere.yaml: cannot read", "evaluate", "RUN", "nowhere.yaml"),
    _line("no run file for experts", "nowhere.yaml: cannot read", "experts", "nowhere.yaml"),
    _line("no run file for difficulty", "nowhere.yaml: cannot read", "difficulty", "nowhere.yaml"),
    _line("no run file for search", "nowhere.yaml: cannot read", "search", "nowhere.yaml"),
    _line("no run file for check", "nowhere.yaml: cannot read", "check", "nowhere.yaml"),
    _line("unknown labels", "found class 'film'", *_SCORE, "--set", "tasks.polarity.label=aspect", code=1),
    _line("other classes", "tasks.polarity.classes: found 'x', 'y'", *_SCORE, "--set", "tasks.polarity.classes=[x,y]"),
    _line("another range", "tasks.score.range: found [0.0, 10.0]", *_SCORE, "--set", "tasks.score.range=[0,10]"),
    _line("a pair that no task reads", "tasks.score.pair: found 'aspect'", *_SCORE, "--set", "tasks.score.pair=aspect"),
    _line("a pair for no task", "pair: found one, and none of the tasks", "predict", "RUN", "a", "--pair", "x"),
    _line("init of nothing", "Missing argument", "init"),
    _line("init over a run file", "run.yaml: found a file, expected none", "init", "data.csv", code=1),
    _line("init over data", "data.csv: found a file that is no", "init", "data.csv", *_OVER, "data.csv", code=1),
    _line("init of a file that is not there", "nowhere.csv: cannot be read", "init", "nowhere.csv", *_NEW, code=1),
    _line("init of a run file", "found the ending '.yaml'", "init", "run.yaml", *_NEW, code=1),
    _line("init of a path that is none", "embedded null byte", "init", "\0", *_NEW),
    _line("init into no folder", "found no folder no", "init", "data.csv", "-o", "no/new.yaml"),
    _line("no such device", "device 'gpu'", "predict", "RUN", "a", "--device", "gpu"),
]  # fmt: skip
