"""What a user has: a module, and a table with words and holes, as text."""

OWN = """\
import numpy as np
import torch

import lossrun


def square(outputs, targets, power=2):
    return ((outputs - targets).abs() ** power).mean(dim=1)


class Descent(torch.optim.SGD):
    pass


def descent(params, lr, momentum):
    return Descent(params, lr, momentum=momentum)


class Net(torch.nn.Module):
    def __init__(self, input_shape, output_size, width=3):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(input_shape[0], width), torch.nn.Tanh(), torch.nn.Linear(width, output_size)
        )

    def forward(self, x):
        return self.net(x)


def points(count):
    x = np.linspace(-1, 1, 2 * count).reshape(count, 2)
    return lossrun.Dataset(train=(x, np.where(x[:, 0] > 0, "up", "down")), test=(x[::7], ["up"] * len(x[::7])))
"""

TABLE = """\
id,size ,city,colour,price,sold,shares
1,1.5,Bonn,red,10.5,yes,0
2,2.5,Köln,blue,11.25,no,1
3,,Bonn,red,12.0,yes,1
4,4.5,Bonn,blue,NA,no,0
5,5.25,Köln,red,14.5,yes,0
6,6.5,Kiel,blue,15.75,no,1
7,7.5,Kiel,red,16.25,yes,1
8,8.5,Bonn,blue,17.5,no,0
9,9.5,Köln,red,18.0,no,1
10,10.5,Köln,blue,19.75,yes,0
11,11.5,Bonn,red,20.5,yes,1
12,12.5,Bonn,red,21.0,yes,1
"""
