#!/usr/bin/env python3
"""The sample job in PyTorch, on one thread: what scripts/versus_pytorch.ts compares with.

    python3 sample_job.py [SEED]

1,000 random sequences (10 steps, 5 features), class 0 if the sum of all 50 numbers is positive, else class 1, one-hot
labels, 800 for training and 200 for testing; GRU(5, 10), additive attention, dropout 0.5, fc(10, 2), BCEWithLogitsLoss,
Adam 1e-3, batches of 32, 100 epochs, each with loss and accuracy on both parts. Prints every epoch, then one line of JSON.
"""
import json, sys, time
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

EPOCHS = 100


class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.attn = nn.Linear(2 * size, size)
        self.v = nn.Linear(size, 1, bias=False)

    def forward(self, query, outputs):
        query = query.unsqueeze(1).expand_as(outputs)
        scores = self.v(torch.tanh(self.attn(torch.cat((query, outputs), dim=2))))
        return (outputs * torch.softmax(scores, dim=1)).sum(dim=1)


class Model(nn.Module):
    def __init__(self, inputs=5, hidden=10, classes=2):
        super().__init__()
        self.gru = nn.GRU(inputs, hidden, batch_first=True)
        self.attention = Attention(hidden)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, x):
        outputs, state = self.gru(x)
        return self.fc(self.dropout(self.attention(state[-1], outputs)))


def run_epoch(model, loader, criterion, optimizer=None):
    """Mean of the batches' losses, and accuracy; with an optimizer: training."""
    model.train(optimizer is not None)
    total = correct = count = 0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            logits = model(x)
            loss = criterion(logits, y)
            if optimizer:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item()
            correct += (logits.argmax(1) == y.argmax(1)).sum().item()
            count += len(x)
    return total / len(loader), correct / count


def main(seed):
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    x = torch.randn(1000, 10, 5)
    y = nn.functional.one_hot((x.sum((1, 2)) <= 0).long(), 2).float()
    train, test = random_split(TensorDataset(x, y), [800, 200])
    train_loader, test_loader = DataLoader(train, batch_size=32, shuffle=True), DataLoader(test, batch_size=32)
    model, criterion = Model(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    start = time.perf_counter()
    for epoch in range(1, EPOCHS + 1):
        train_loss, train_accuracy = run_epoch(model, train_loader, criterion, optimizer)
        test_loss, test_accuracy = run_epoch(model, test_loader, criterion)
        print(f'epoch {epoch}/{EPOCHS}   train loss {train_loss:.4f}  accuracy {train_accuracy:.2%}   '
              f'test loss {test_loss:.4f}  accuracy {test_accuracy:.2%}')
    print(json.dumps(dict(seconds=time.perf_counter() - start, train_loss=train_loss, train_accuracy=train_accuracy,
                          test_loss=test_loss, test_accuracy=test_accuracy, torch=torch.__version__,
                          python=sys.version.split()[0], threads=torch.get_num_threads())))


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
