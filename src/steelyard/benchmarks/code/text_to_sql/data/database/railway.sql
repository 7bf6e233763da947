-- A railway: stations, trains, stops and delays. Written for this project.
CREATE TABLE station (id INTEGER PRIMARY KEY, name TEXT, region TEXT, platforms INTEGER);
CREATE TABLE train (id INTEGER PRIMARY KEY, number TEXT, kind TEXT, seats INTEGER, built INTEGER);
CREATE TABLE stop (train_id INTEGER REFERENCES train(id), station_id INTEGER REFERENCES station(id), minute INTEGER);
CREATE TABLE delay (train_id INTEGER REFERENCES train(id), day TEXT, minutes INTEGER, cause TEXT);
INSERT INTO station VALUES (1,'Northgate','north',4),(2,'Mill','north',2),(3,'Central','middle',12),(4,'Lakeside','south',3),(5,'Southend','south',5),(6,'Quarry','middle',1);
INSERT INTO train VALUES (1,'R1','regional',180,1998),(2,'R2','regional',200,2005),(3,'X7','express',420,2015),(4,'X9','express',440,2019),(5,'N3','night',160,1989);
INSERT INTO stop VALUES (1,1,0),(1,2,12),(1,3,30),(2,3,5),(2,4,25),(2,5,40),(3,1,10),(3,3,28),(3,5,55),(4,3,0),(4,5,22),(5,1,3),(5,2,20),(5,3,45);
INSERT INTO delay VALUES (1,'2024-05-01',5,'signal'),(1,'2024-05-03',12,'weather'),(2,'2024-05-01',3,'signal'),(3,'2024-05-02',20,'engine'),(3,'2024-05-04',8,'weather'),(5,'2024-05-02',45,'engine');
