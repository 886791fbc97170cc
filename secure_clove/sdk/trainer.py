"""temporary"""
from secure_clove.engine.plan import Config
from secure_clove.foundation.seeds import Entropy
from secure_clove.learn.learner import TorchLearner, TrainingSpec
from secure_clove.learn.models import architecture
from secure_clove.learn.tasks import TorchTask
from secure_clove.sdk.entropy import SystemEntropy

class TaskTrainer:
    def __init__(self, task, config):
        t, p = config.training, config.privacy
        self.task=task
        base=dict(learning_rate=t.learning_rate, momentum=t.momentum, steps=t.steps, rate=t.rate)
        self.plain=TrainingSpec(**base)
        self.spec=TrainingSpec(**base, clip=p.clip, noise_multiplier=p.update) if p else self.plain
        self.l=TorchLearner(task, self.spec, SystemEntropy())
        self.architecture=architecture(task.model())
    @classmethod
    def of(cls, task, config): return cls(task, config)
    examples=property(lambda s:s.l.examples); held_out=property(lambda s:s.l.held_out)
    def losses(self,m): return self.l.losses(m)
    def correct(self,m): return self.l.correct(m)
    def train(self,m,entropy):
        self.l._entropy=entropy
        return self.l.train(m)
    def train_locally(self,m): return TorchLearner(self.task,self.plain,SystemEntropy()).train(m)
